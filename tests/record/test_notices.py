"""Word of changes: apart from the writes, together if there are many, and no loss if there is none."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from api import changes
from guard.models import Tally
from guard.policy import State
from guard.store import Store
from record import fence, notices, trips
from record.notices import MOST_IDS, Notices
from record.pool import Pool, RecordAway
from tests.guard.fleet import POLICY, new_partner
from tests.guard.own_postgres import OwnPostgres
from tests.patience import PATIENCE_S
from tests.pooler import Way
from tests.record.test_accepting import request
from trip.calls import CaptureDecision
from trip.trip import Booking, TripStatus, new_trip

BOOKING = TripStatus.BOOKING


@pytest.fixture
async def pool(way: Way) -> AsyncIterator[Pool]:
    async with way.open() as opened:
        yield opened


@asynccontextmanager
async def full_queue(server: OwnPostgres) -> AsyncIterator[None]:
    """A listener that stands still in a transaction holds up all notices, until no more are taken."""
    listener, sender = [await asyncpg.connect(server.database_url, timeout=PATIENCE_S) for _ in range(2)]
    try:
        await listener.execute("listen held_up")
        await listener.execute("begin")
        # Asking for the queue's use clears it of what an earlier listener held up.
        while await sender.fetchval("select pg_notification_queue_usage()") < 0.9:
            with pytest.raises(asyncpg.PostgresError, match="too many notifications"):
                for number in range(10_000):
                    await sender.execute("select pg_notify('held_up', $1)", f"{number:07999}")
        yield
    finally:
        for connection in (listener, sender):
            await connection.close(timeout=PATIENCE_S)


async def written(pool: Pool) -> Booking:
    """A trip in the record."""
    booking = await trips.accept(pool, request())
    assert isinstance(booking, Booking)
    return booking


async def test_saves_captures_and_breakers_go_on_while_the_queue_is_full(
    server: OwnPostgres, pool: Pool
) -> None:
    one = await written(pool)
    store, partner = Store(pool, POLICY), new_partner()
    async with full_queue(server):
        with pytest.raises(RecordAway):
            await notices.send(pool, [one.trip_id])
        assert await trips.save(pool, new_trip(one), 1) is None
        assert await fence.capture(pool, CaptureDecision(trip=new_trip(one), version=2))
        standing = await store.record(partner, Tally(1, calls=9, failures=9))
        assert standing.state is State.OPEN
    kept = await pool.fetchval("select version from trips where trip_id = $1", one.trip_id)
    assert kept == 2


async def test_a_process_goes_on_telling_when_the_queue_has_room_again(
    server: OwnPostgres, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    process = Notices(pool)
    async with process.telling(), asyncio.timeout(PATIENCE_S):
        async with full_queue(server):
            process.tell("lost", BOOKING)
            while not caplog.records:
                await asyncio.sleep(0.01)
        async with listening(server, heard):
            while heard.empty():
                process.tell("told", BOOKING)
                await asyncio.sleep(0.01)
            assert [*notices.read(await heard.get())] == ["told"]


async def test_many_changes_make_few_notices(server: OwnPostgres, pool: Pool) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    ids = [f"trip-{number}" for number in range(10 * MOST_IDS)]
    process = Notices(pool)
    async with listening(server, heard), process.telling(), asyncio.timeout(PATIENCE_S):
        for trip_id in ids:
            process.tell(trip_id, BOOKING)
            process.tell(trip_id, BOOKING)
        found: list[dict[str, bool]] = []
        while sum(map(len, found)) < len(ids):
            found.append(notices.read(await heard.get()))
    assert sorted(itertools.chain.from_iterable(found)) == sorted(ids)
    assert len(found) <= 10 + 1


async def test_a_notice_says_which_trips_have_ended(server: OwnPostgres, pool: Pool) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    process = Notices(pool)
    async with listening(server, heard), asyncio.timeout(PATIENCE_S):
        for trip_id, status in (("ends", BOOKING), ("goes-on", BOOKING), ("ends", TripStatus.FAILED)):
            process.tell(trip_id, status)
        process.tell("ends", BOOKING)  # of a version that was written before
        async with process.telling():
            assert notices.read(await heard.get()) == {"goes-on": False, "ends": True}
    assert notices.read("told by a version that does not say so")["told"]


async def test_who_waits_for_the_end_of_a_trip_is_woken_by_that_alone(
    server: OwnPostgres, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "LOOK_AGAIN_S", 2 * PATIENCE_S)
    heard: asyncio.Queue[str | None] = asyncio.Queue()
    front_door, process = changes.Changes(server.database_url, asyncio.Event()), Notices(pool)
    front_door.tell(heard.put_nowait)
    async with front_door.listening(), process.telling(), asyncio.timeout(PATIENCE_S):
        assert await heard.get() is None, "it listens"
        with front_door.watching("trip") as may_have_ended:
            waits = asyncio.ensure_future(may_have_ended(asyncio.get_running_loop().time() + 2 * PATIENCE_S))
            process.tell("trip", BOOKING)
            assert await heard.get() == "trip"
            done, _ = await asyncio.wait([waits], timeout=0.1)
            assert not done
            process.tell("trip", TripStatus.CONFIRMED)
            await waits


async def test_the_changes_of_a_lone_trip_wait_for_nothing(
    server: OwnPostgres, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "PAUSE_FOR_EACH_S", 20)
    monkeypatch.setattr(notices, "PAUSE_S", 20)
    monkeypatch.setattr(notices, "SAVED_S", 50)
    heard: asyncio.Queue[str] = asyncio.Queue()
    process = Notices(pool)
    async with listening(server, heard), process.telling():
        async with asyncio.timeout(PATIENCE_S):
            for trip_id in ("first", "second", "third"):
                process.tell(trip_id, BOOKING)
                assert [*notices.read(await heard.get())] == [trip_id]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                process.tell("fourth", BOOKING)
                await heard.get()


async def test_what_is_left_at_the_end_is_told(server: OwnPostgres, pool: Pool) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    process = Notices(pool)
    async with listening(server, heard), asyncio.timeout(PATIENCE_S):
        async with process.telling():
            process.tell("last", BOOKING)
        assert [*notices.read(await heard.get())] == ["last"]


@asynccontextmanager
async def listening(server: OwnPostgres, heard: "asyncio.Queue[str]") -> AsyncIterator[None]:
    connection = await asyncpg.connect(server.database_url, timeout=PATIENCE_S)
    try:
        await connection.add_listener(notices.CHANNEL, lambda *notice: heard.put_nowait(str(notice[-1])))
        yield
    finally:
        await connection.close(timeout=PATIENCE_S)
