"""The trips' table: a row for each trip, from its acceptance until long after its history is gone."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import asyncpg

from record.noted import NotedMessage
from record.pool import CALL_TIMEOUT_S, Pool, RecordAway, connected, document
from trip.fence import Mark
from trip.order import Coordination
from trip.trip import FINAL_STATUSES, Booking, Trip, TripStatus, new_trip, shown

LEASE = timedelta(seconds=6)
"""How long a claim lasts: longer than a start may take. After it, any front door may make the start."""

LONGEST_LEASE = timedelta(minutes=1)

FIRST_LOOK = timedelta(seconds=2)
"""How long after its acceptance a choreographed trip is looked at, if it has not ended by then."""

_NO_MESSAGE = (None,) * 5

FINAL = [status.value for status in FINAL_STATUSES]


@dataclass(frozen=True)
class Request:
    """A trip that is asked for. `booked_at` makes its booking, given the time when it is accepted."""

    booked_at: Callable[[datetime], Booking]
    tenant: str
    idempotency_key: str | None
    body_hash: bytes


@dataclass(frozen=True)
class KnownKey:
    """The trip that an idempotency key stands for, its booking, and the hash of its body."""

    trip: dict[str, Any]
    booking: dict[str, Any]
    body_hash: bytes


Begins = Callable[[Booking], NotedMessage | None]
"""What asks for a trip's first holds. None if the trip begins later."""


async def accept(
    pool: Pool, request: Request, lease: timedelta = LEASE, begins: Begins = lambda _: None
) -> Booking | KnownKey:
    """Write a new trip and its first event. It is accepted now, by PostgreSQL's clock.

    Its start is the caller's own for as long as the lease lasts. A trip that `begins` is marked so, and its
    message is kept.

    Returns its booking, or what the idempotency key stands for if it was seen before. Raises RecordAway: the
    caller is then told that nothing was accepted, so an insert that PostgreSQL runs only after the call has
    ended inserts nothing.
    """
    ends = asyncio.get_running_loop().time() + CALL_TIMEOUT_S
    async with connected(pool) as connection:
        now: datetime = await connection.fetchval("select clock_timestamp()")
        booking = request.booked_at(now)
        trip = new_trip(booking)
        message = begins(booking)
        too_late = now + timedelta(seconds=ends - asyncio.get_running_loop().time())
        written = await connection.fetchval(
            """
            with accepted as (
                insert into trips (trip_id, tenant, idempotency_key, body_hash, booking, trip, status,
                                   created_at, updated_at, owed_from, coordination, due_at,
                                   sending, started_at)
                select $1, $2, $3, $4, $5::text::json, $6::text::json, $7,
                       $8::timestamptz, $8, now() + $10, $11, $12,
                       case when $13::text is not null then 'begun'::sending end,
                       case when $13 is not null then $8::timestamptz end
                where clock_timestamp() < $9
                on conflict (tenant, idempotency_key) do nothing returning trip_id, version, trip),
            noted as (
                insert into trip_messages (trip_id, message_id, subject, source, at, body)
                select trip_id, $13, $14, $15, $16::timestamptz, $17::text::json
                from accepted where $13 is not null)
            insert into trip_events (trip_id, version, trip)
            select trip_id, version, trip from accepted returning true
            """,
            trip.trip_id,
            booking.tenant,
            request.idempotency_key,
            request.body_hash,
            document(booking),
            document(trip),
            trip.status.value,
            now,
            too_late,
            lease,
            trip.coordination,
            _first_look(booking) if trip.coordination == "choreography" else None,
            *(message[1:] if message else _NO_MESSAGE),
        )
    if written:
        return booking
    known = await known_key(pool, request)
    if known is None:
        raise RecordAway("the trip is neither written nor known")
    return known


def _first_look(booking: Booking) -> datetime:
    return booking.accepted_at + min(FIRST_LOOK, timedelta(seconds=booking.order.deadline_s))


async def known_key(pool: Pool, request: Request) -> KnownKey | None:
    """What the idempotency key stands for. None if the key is new, or if there is no key."""
    async with connected(pool) as connection:
        row = await connection.fetchrow(
            "select trip, booking, body_hash from trips where tenant = $1 and idempotency_key = $2",
            request.tenant,
            request.idempotency_key,
        )
    return KnownKey(shown(row["trip"]), row["booking"], row["body_hash"]) if row else None


async def save(pool: Pool, trip: Trip, version: int) -> int | None:
    """Write the trip as its workflow knows it, and the event of this change.

    Returns None, or the greatest version kept if that is not an older one: another run wrote it. A final
    status is written whatever its version is, and nothing is written after one. A run that does not know of
    the mark writes nothing: no `confirmed` over an undone trip, and no part of a trip over a captured one.
    """
    async with connected(pool) as connection:
        done = await connection.execute(
            """
            with saved as (
                update trips set trip = $2::text::json, status = $3, version = greatest(version + 1, $4),
                                 updated_at = $5, started_at = coalesce(started_at, $5)
                where trip_id = $1 and status <> all($6::text[]) and (version < $4 or $3 = any($6::text[]))
                    and (case sending when 'captures' then $7 when 'begun' then true
                         else sending is null or $3 <> 'confirmed' end)
                returning trip_id, version, trip)
            insert into trip_events (trip_id, version, trip) select trip_id, version, trip from saved
            """,
            trip.trip_id,
            document(trip),
            trip.status.value,
            version,
            trip.updated_at,
            FINAL,
            trip.is_held_in_full,
        )
        if done != "INSERT 0 0":
            return None
        kept: int | None = await connection.fetchval(
            "select version from trips where trip_id = $1 and status <> all($2::text[]) and version >= $3",
            trip.trip_id,
            FINAL,
            version,
        )
    return kept


@dataclass(frozen=True)
class Kept:
    """A trip as the front door shows it, and the mark in its row."""

    trip: dict[str, Any]
    mark: Mark | None

    @property
    def is_decided(self) -> bool:
        """Whether the trip has ended or its capture is decided: it cannot be cancelled."""
        return self.trip["status"] in FINAL or self.mark is Mark.CAPTURES

    @property
    def is_undone(self) -> bool:
        """Whether the trip is being undone, or was."""
        return self.mark in _UNDONE or self.trip["status"] == TripStatus.COMPENSATING


_UNDONE = frozenset({Mark.BARRED, Mark.UNDONE})


async def fetch(pool: Pool, trip_id: str, tenant: str) -> dict[str, Any] | None:
    """The trip as the front door shows it. None if the tenant has no such trip."""
    kept = await fetch_kept(pool, trip_id, tenant)
    return None if kept is None else kept.trip


async def fetch_kept(pool: Pool, trip_id: str, tenant: str) -> Kept | None:
    """The trip with its mark. None if the tenant has no such trip."""
    async with connected(pool) as connection:
        row = await connection.fetchrow(
            "select trip, sending::text from trips where trip_id = $1 and tenant = $2", trip_id, tenant
        )
    return None if row is None else Kept(shown(row["trip"]), row["sending"] and Mark(row["sending"]))


async def owed_booking(pool: Pool, trip_id: str) -> dict[str, Any] | None:
    """The booking to start the trip's workflow with. None if the workflow is known to have started."""
    async with connected(pool) as connection:
        booking: dict[str, Any] | None = await connection.fetchval(
            "select booking from trips where trip_id = $1 and started_at is null", trip_id
        )
    return booking


async def mark_started(pool: Pool, trip_ids: Sequence[str]) -> None:
    """Note that the workflows of these trips are known to have started."""
    async with connected(pool) as connection:
        await connection.execute(
            "update trips set started_at = now() where trip_id = any($1) and started_at is null", trip_ids
        )


async def claim(pool: Pool, coordination: Coordination, limit: int) -> list[asyncpg.Record]:
    """Claim at most `limit` starts that are owed, as many of each tenant, those that waited longest first.

    Each has `trip_id` and `booking`. Nobody else claims them during the lease. The lease of a trip that has
    waited long is longer, so a trip that cannot start is tried ever more rarely and holds up nobody.
    """
    async with connected(pool) as connection:
        return await connection.fetch(_CLAIM, limit, LEASE, LONGEST_LEASE, coordination)


# The index is read once for each tenant, and not once for each trip that waits.
_CLAIM = """
    with recursive tenants as (
        (select tenant from trips where started_at is null and coordination = $4 order by tenant limit 1)
        union all
        select (select tenant from trips
                where started_at is null and coordination = $4 and tenant > tenants.tenant
                order by tenant limit 1)
        from tenants where tenant is not null),
    waiting as (
        select tenant, greatest(1, $1 / count(*) over ()) as share from tenants
        where exists (select from trips
                      where started_at is null and coordination = $4 and tenant = tenants.tenant
                          and owed_from <= now())
        order by random()),
    claimed as materialized (
        select trip_id from waiting cross join lateral (
            select trip_id from trips
            where started_at is null and coordination = $4 and tenant = waiting.tenant
                and owed_from <= now()
            order by owed_from limit share for update skip locked) as owed
        limit $1)
    update trips set owed_from = now() + least($3, greatest($2, (now() - created_at) / 4))
    from claimed where trips.trip_id = claimed.trip_id
    returning trips.trip_id, booking
    """


async def backlog_by_tenant(pool: Pool, coordination: Coordination, at_most: int) -> dict[str, int]:
    """How many trips of each tenant have not started. Counting ends at `at_most` in all."""
    async with connected(pool) as connection:
        rows = await connection.fetch(
            """
            select tenant, count(*) as trips from (
                select tenant from trips where started_at is null and coordination = $1 limit $2) as waiting
            group by tenant
            """,
            coordination,
            at_most,
        )
    return {row["tenant"]: row["trips"] for row in rows}


class Backlog(NamedTuple):
    """The trips that have not started: how many, and since when the oldest has been accepted, in seconds."""

    size: int
    age_s: float


async def backlog(pool: Pool, coordination: Coordination, at_most: int) -> Backlog:
    """The backlog. Counting ends at `at_most`, and the age is that of a trip that was counted."""
    async with connected(pool) as connection:
        row = await connection.fetchrow(
            """
            select count(*) as size,
                coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::float8 as age_s
            from (
                select created_at from trips where started_at is null and coordination = $1 limit $2
            ) as waiting
            """,
            coordination,
            at_most,
        )
    assert row is not None, "it counts, if only to zero"
    return Backlog(row["size"], row["age_s"])


# The condition is spelt as in its index: trips that have ended are not read, however many they are.
_COUNT_BY_STATUS = """
    select status, count(*) as trips from trips
    where status not in ('confirmed', 'failed', 'cancelled') group by status
    """


async def count_by_status(pool: Pool) -> dict[str, int]:
    """The number of trips for each status that is not final."""
    async with connected(pool) as connection:
        rows = await connection.fetch(_COUNT_BY_STATUS)
    return {row["status"]: row["trips"] for row in rows}
