"""Several front doors while their coordinator is away for a while: each trip starts, soon and once."""

import asyncio
import contextlib
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from datetime import datetime

import asyncpg
import pytest

from api.coordination import Begun, CoordinatorAway
from api.starter import NOT_CLAIMED, STARTS_AT_ONCE, Starter
from record import trips
from record.noted import NotedMessage
from record.pool import Pool
from tests.guard.own_postgres import OwnPostgres
from tests.pooler import Way
from tests.record.empty import empty_record
from tests.record.test_accepting import TENANT, request
from tests.system.test_supervision import eventually
from trip.trip import Booking, OperatorOrder

DOORS = 4
TRIPS_PER_S = 100
START_S = 0.014
GIVEN_UP_S = {"mute": 4.0, "down": 0.1}
"""After how long a start fails while the coordinator is away."""

LIMIT = 100_000
MOST_TWICE = 0.05


class Coordinator:
    """Takes 14 ms for each start, or fails it. It counts what it was asked to start."""

    cancels_unstarted = False

    def __init__(self) -> None:
        self.fails_after_s: float | None = None
        self.refused: set[str] = set()
        self.started: dict[str, str] = {}
        """The tenants of the trips that were started, by their ids, in the order of their starts."""
        self.starts: Counter[str] = Counter()

    def begins(self, _booking: Booking) -> Begun | None:
        return None

    async def start(self, booking: Booking) -> None:
        fails_after_s = self.fails_after_s
        await asyncio.sleep(START_S if fails_after_s is None else fails_after_s)
        if fails_after_s is not None or booking.trip_id in self.refused:
            raise CoordinatorAway("coordinator_unavailable", "no answer")
        self.starts[booking.trip_id] += 1
        self.started.setdefault(booking.trip_id, booking.tenant)

    async def forget(self, trip_ids: Sequence[str]) -> None:
        raise NotImplementedError

    async def cancel(self, trip_id: str) -> bool:
        raise NotImplementedError

    async def operate(self, trip_id: str, order: OperatorOrder) -> bool:
        raise NotImplementedError

    def checks(self) -> Mapping[str, Awaitable[None]]:
        return {}


class Beginning(Coordinator):
    """Begins each trip as it is accepted, and counts what it told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: set[str] = set()

    def begins(self, _booking: Booking) -> Begun:
        trip_id, at = _booking.trip_id, _booking.accepted_at

        async def tell() -> None:
            self.told.add(trip_id)

        return Begun(NotedMessage(trip_id, trip_id, "asks", "trips", at, "{}"), tell)


@pytest.fixture
async def own_way(server: OwnPostgres) -> AsyncIterator[Way]:
    """To an empty record, so that other tests find the statistics of theirs."""
    async with empty_record(server.database_url) as found:
        yield found


@pytest.fixture
async def record(own_way: Way) -> AsyncIterator[Pool]:
    async with own_way.open() as pool:
        yield pool


@contextlib.asynccontextmanager
async def front_doors(own_way: Way, coordinator: Coordinator) -> AsyncIterator[list[Starter]]:
    async with contextlib.AsyncExitStack() as stack:
        starters = []
        for _ in range(DOORS):
            pool = await stack.enter_async_context(own_way.open(size=20))
            starters.append(Starter("orchestration", coordinator, pool, LIMIT))
            await stack.enter_async_context(starters[-1].draining())
        yield starters


async def accept_for(starters: list[Starter], seconds: float) -> int:
    """Accept trips at the set rate, each front door in its turn. Returns how many."""
    number = round(seconds * TRIPS_PER_S)
    begun = asyncio.get_running_loop().time()
    async with asyncio.TaskGroup() as accepting:
        for nth in range(number):
            await asyncio.sleep(begun + nth / TRIPS_PER_S - asyncio.get_running_loop().time())
            accepting.create_task(starters[nth % DOORS].accept(request()))
    return number


async def outage(own_way: Way, record: Pool, away: str, away_s: float, around_s: float) -> tuple[float, int]:
    """Returns when the backlog has drained: the share of starts made twice, and the greatest backlog."""
    coordinator = Coordinator()
    async with front_doors(own_way, coordinator) as starters:
        accepted = await accept_for(starters, around_s)
        coordinator.fails_after_s = GIVEN_UP_S[away]
        accepted += await accept_for(starters, away_s)
        backlog = (await trips.backlog(record, "orchestration", LIMIT)).size
        coordinator.fails_after_s = None
        back_at: datetime = await record.fetchval("select now()")
        accepting = asyncio.create_task(accept_for(starters, around_s))

        async def drained() -> bool:
            return not await record.fetchval(
                "select exists (select from trips where started_at is null and created_at < $1)", back_at
            )

        await eventually(drained)
        accepted += await accepting

        async def all_started() -> bool:
            return len(coordinator.started) == accepted

        await eventually(all_started)
    twice = sum(coordinator.starts.values()) - accepted
    return twice / accepted, backlog


@pytest.mark.parametrize("away", GIVEN_UP_S)
async def test_a_backlog_drains_although_more_is_accepted(own_way: Way, record: Pool, away: str) -> None:
    twice, backlog = await outage(own_way, record, away, away_s=2, around_s=2)
    assert backlog > TRIPS_PER_S
    assert twice < MOST_TWICE


async def test_a_trip_that_begins_as_it_is_accepted_takes_no_start(own_way: Way, record: Pool) -> None:
    coordinator = Beginning()
    async with front_doors(own_way, coordinator) as starters:

        async def some_begun() -> bool:
            await starters[0].accept(request())
            return bool(coordinator.told)

        await eventually(some_begun)
    # A front door that is behind leaves its trips to the record, from which they are started.
    assert not coordinator.told & coordinator.started.keys()
    begun = await record.fetchval(
        "select count(*) from trips where sending = 'begun' and started_at is not null"
    )
    assert begun == len(coordinator.told)


async def owe(record: Pool, number: int, tenant: str = TENANT) -> list[str]:
    """Accept trips as a front door that is behind does. Returns their ids, oldest first."""
    ids = []
    for _ in range(number):
        accepted = await trips.accept(record, request(), NOT_CLAIMED)
        assert isinstance(accepted, Booking)
        ids.append(accepted.trip_id)
    await record.execute("update trips set tenant = $2 where trip_id = any($1)", ids, tenant)
    return ids


async def claim(record: Pool, limit: int) -> list[asyncpg.Record]:
    return await trips.claim(record, "orchestration", limit)


async def test_each_tenant_has_its_share_of_a_batch(record: Pool) -> None:
    many, few = await owe(record, 2 * STARTS_AT_ONCE, "many"), await owe(record, 3, "few")
    claimed = {row["trip_id"] for row in await claim(record, STARTS_AT_ONCE)}
    assert claimed == {*many[: STARTS_AT_ONCE // 2], *few}
    claimed = {row["trip_id"] for row in await claim(record, STARTS_AT_ONCE)}
    assert claimed == set(many[STARTS_AT_ONCE // 2 : STARTS_AT_ONCE // 2 + STARTS_AT_ONCE])


async def test_a_tenant_starts_beside_a_thousand_trips_of_another(own_way: Way, record: Pool) -> None:
    await record.execute(
        """
        with ids as materialized (select gen_random_uuid()::text as id from generate_series(1, 1000))
        insert into trips (trip_id, tenant, body_hash, booking, trip, status, created_at, updated_at,
                           coordination)
        select id, 'many', body_hash,
               (booking::jsonb || jsonb_build_object('trip_id', id, 'tenant', 'many'))::json,
               trip, status, created_at, updated_at, coordination
        from trips, ids where trip_id = $1
        """,
        *await owe(record, 1),
    )
    coordinator = Coordinator()
    async with own_way.open(size=20) as pool:
        starter = Starter("orchestration", coordinator, pool, 2 * 1000)
        async with starter.draining():
            assert starter.is_full("many")
            assert not starter.is_full("other")

            async def some_started() -> bool:
                return len(coordinator.started) > STARTS_AT_ONCE

            await eventually(some_started)
            other = await starter.accept(dataclasses.replace(request(), tenant="other"))
            assert isinstance(other, Booking)
            before = len(coordinator.started)

            async def other_started() -> bool:
                return other.trip_id in coordinator.started

            await eventually(other_started)
    # What was claimed before may go first, and no more than that.
    assert list(coordinator.started).index(other.trip_id) <= before + 3 * STARTS_AT_ONCE


async def test_a_coordinator_that_is_away_holds_up_no_trips_of_the_other(record: Pool) -> None:
    """A front door asks for one trip at a time while its coordinator is away, and for those alone."""
    ids = await owe(record, STARTS_AT_ONCE)
    await record.execute("update trips set coordination = 'choreography' where trip_id = any($1)", ids)
    (owed,) = await owe(record, 1)
    assert [row["trip_id"] for row in await claim(record, STARTS_AT_ONCE)] == [owed]
    claimed = await trips.claim(record, "choreography", STARTS_AT_ONCE)
    assert {row["trip_id"] for row in claimed} == set(ids)


async def test_no_start_is_claimed_twice_at_once(record: Pool) -> None:
    ids = await owe(record, 2 * STARTS_AT_ONCE)
    batches = await asyncio.gather(*(claim(record, STARTS_AT_ONCE) for _ in range(DOORS)))
    claimed = Counter(row["trip_id"] for batch in batches for row in batch)
    assert set(claimed.values()) == {1}
    assert claimed.keys() <= set(ids)


async def test_a_trip_that_waited_long_is_claimed_for_longer(record: Pool) -> None:
    young, old = await owe(record, 2)
    await record.execute("update trips set created_at = now() - interval '2 min' where trip_id = $1", old)
    await claim(record, 2)
    leases = await record.fetch(
        "select trip_id, owed_from - now() as lease from trips where trip_id = any($1)", [young, old]
    )
    lease_s = {row["trip_id"]: row["lease"].total_seconds() for row in leases}
    assert lease_s[young] == pytest.approx(trips.LEASE.total_seconds(), abs=2)
    assert lease_s[old] == pytest.approx(120 / 4, abs=2)


async def test_trips_that_cannot_start_hold_up_nobody(own_way: Way, record: Pool) -> None:
    coordinator = Coordinator()
    sick = await owe(record, STARTS_AT_ONCE)
    coordinator.refused.update(sick)
    unreadable = await owe(record, STARTS_AT_ONCE)
    await record.execute("update trips set booking = '{}' where trip_id = any($1)", unreadable)
    well = await owe(record, STARTS_AT_ONCE)
    async with front_doors(own_way, coordinator):

        async def well_started() -> bool:
            return coordinator.started.keys() == set(well)

        await eventually(well_started)
        coordinator.refused.clear()

        async def sick_started() -> bool:
            return coordinator.started.keys() == {*well, *sick}

        await eventually(sick_started)
    assert (await trips.backlog(record, "orchestration", LIMIT)).size == len(unreadable)


async def test_a_front_door_that_ends_has_marked_its_starts(own_way: Way, record: Pool) -> None:
    coordinator = Coordinator()
    async with front_doors(own_way, coordinator) as starters:
        await starters[0].accept(request())

        async def started() -> bool:
            return len(coordinator.started) == 1

        await eventually(started)
    assert (await trips.backlog(record, "orchestration", LIMIT)).size == 0
