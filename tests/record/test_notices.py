"""Word of changes: apart from the writes, together if there are many, and no loss if there is none."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from guard.models import Tally
from guard.policy import State
from guard.store import Store
from record import fence, notices, trips
from record.notices import MOST_IDS, Notices
from record.pool import Pool, RecordAway, open_pool
from tests.guard.fleet import POLICY, new_partner
from tests.guard.own_postgres import OwnPostgres
from tests.patience import PATIENCE_S
from tests.record.test_accepting import request
from trip.calls import CaptureDecision
from trip.trip import Booking, new_trip


@pytest.fixture
async def pool(server: OwnPostgres) -> AsyncIterator[Pool]:
    async with open_pool(server.database_url) as opened:
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
            process.tell("lost")
            while not caplog.records:
                await asyncio.sleep(0.01)
        async with listening(server, heard):
            while heard.empty():
                process.tell("told")
                await asyncio.sleep(0.01)
            assert await heard.get() == "told"


async def test_many_changes_make_few_notices(server: OwnPostgres, pool: Pool) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    ids = [f"trip-{number}" for number in range(10 * MOST_IDS)]
    process = Notices(pool)
    async with listening(server, heard), process.telling(), asyncio.timeout(PATIENCE_S):
        for trip_id in ids:
            process.tell(trip_id)
            process.tell(trip_id)
        found: list[list[str]] = []
        while sum(map(len, found)) < len(ids):
            found.append(notices.read(await heard.get()))
    assert sorted(itertools.chain.from_iterable(found)) == sorted(ids)
    assert len(found) <= 10 + 1


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
                process.tell(trip_id)
                assert await heard.get() == trip_id
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                process.tell("fourth")
                await heard.get()


async def test_what_is_left_at_the_end_is_told(server: OwnPostgres, pool: Pool) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    process = Notices(pool)
    async with listening(server, heard), asyncio.timeout(PATIENCE_S):
        async with process.telling():
            process.tell("last")
        assert await heard.get() == "last"


@asynccontextmanager
async def listening(server: OwnPostgres, heard: "asyncio.Queue[str]") -> AsyncIterator[None]:
    connection = await asyncpg.connect(server.database_url, timeout=PATIENCE_S)
    try:
        await connection.add_listener(notices.CHANNEL, lambda *notice: heard.put_nowait(str(notice[-1])))
        yield
    finally:
        await connection.close(timeout=PATIENCE_S)
