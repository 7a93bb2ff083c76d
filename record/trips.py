"""The trips' table: a row for each trip, from its acceptance until long after its history is gone."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from record.pages import Position
from record.pool import CALL_TIMEOUT_S, Pool, RecordAway, connected
from trip.trip import FINAL_STATUSES, Booking, Trip, new_trip

OLDEST: Position = (datetime.fromtimestamp(0, UTC), "")
"""The position before every trip, in the order of acceptance."""

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
    """The trip that an idempotency key stands for, and the hash of its body."""

    trip: dict[str, Any]
    body_hash: bytes


async def accept(pool: Pool, request: Request) -> Booking | KnownKey:
    """Write a new trip and its first event. It is accepted now, by PostgreSQL's clock.

    Returns its booking, or what the idempotency key stands for if it was seen before. Raises RecordAway: the
    caller is then told that nothing was accepted, so an insert that PostgreSQL runs only after the call has
    ended inserts nothing.
    """
    ends = asyncio.get_running_loop().time() + CALL_TIMEOUT_S
    async with connected(pool) as connection:
        now: datetime = await connection.fetchval("select clock_timestamp()")
        booking = request.booked_at(now)
        trip = new_trip(booking)
        too_late = now + timedelta(seconds=ends - asyncio.get_running_loop().time())
        written = await connection.fetchval(
            """
            with accepted as (
                insert into trips (trip_id, tenant, idempotency_key, body_hash, booking, trip, status,
                                   created_at, updated_at)
                select $1, $2, $3, $4, $5, $6, $7, $8, $8 where clock_timestamp() < $9
                on conflict (tenant, idempotency_key) do nothing returning trip_id, version, trip)
            insert into trip_events (trip_id, version, trip)
            select trip_id, version, trip from accepted returning true
            """,
            trip.trip_id,
            booking.tenant,
            request.idempotency_key,
            request.body_hash,
            booking.model_dump(mode="json"),
            trip.model_dump(mode="json"),
            trip.status.value,
            now,
            too_late,
        )
    if written:
        return booking
    known = await known_key(pool, request)
    if known is None:
        raise RecordAway("the trip is neither written nor known")
    return known


async def known_key(pool: Pool, request: Request) -> KnownKey | None:
    """What the idempotency key stands for. None if the key is new, or if there is no key."""
    async with connected(pool) as connection:
        row = await connection.fetchrow(
            "select trip, body_hash from trips where tenant = $1 and idempotency_key = $2",
            request.tenant,
            request.idempotency_key,
        )
    return KnownKey(row["trip"], row["body_hash"]) if row else None


async def save(pool: Pool, trip: Trip, version: int) -> int | None:
    """Write the trip as its workflow knows it, and the event of this change.

    Returns None, or the greatest version kept if that is not an older one: another run wrote it. A final
    status is written whatever its version is, and nothing is written after one.
    """
    async with connected(pool) as connection:
        done = await connection.execute(
            """
            with saved as (
                update trips set trip = $2, status = $3, version = greatest(version + 1, $4), updated_at = $5,
                                 started_at = coalesce(started_at, $5)
                where trip_id = $1 and status <> all($6::text[]) and (version < $4 or $3 = any($6::text[]))
                returning trip_id, version)
            insert into trip_events (trip_id, version, trip) select trip_id, version, $2 from saved
            """,
            trip.trip_id,
            trip.model_dump(mode="json"),
            trip.status.value,
            version,
            trip.updated_at,
            FINAL,
        )
        if done != "INSERT 0 0":
            return None
        kept: int | None = await connection.fetchval(
            "select version from trips where trip_id = $1 and status <> all($2::text[])", trip.trip_id, FINAL
        )
    return kept


async def fetch(pool: Pool, trip_id: str, tenant: str) -> dict[str, Any] | None:
    """The trip as the front door shows it. None if the tenant has no such trip."""
    async with connected(pool) as connection:
        trip: dict[str, Any] | None = await connection.fetchval(
            "select trip from trips where trip_id = $1 and tenant = $2", trip_id, tenant
        )
    return trip


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


async def backlog(pool: Pool, after: Position, least_age_s: float, limit: int) -> list[asyncpg.Record]:
    """Trips after a position, accepted so many seconds ago or longer, that have not started; oldest first.

    Each has `trip_id`, `created_at` and `booking`.
    """
    async with connected(pool) as connection:
        return await connection.fetch(
            """
            select trip_id, created_at, booking from trips
            where started_at is null and (created_at, trip_id) > ($1, $2)
              and created_at <= clock_timestamp() - make_interval(secs => $3)
            order by created_at, trip_id limit $4
            """,
            *after,
            least_age_s,
            limit,
        )


async def backlog_size(pool: Pool, at_most: int) -> int:
    """How many trips have not started. Counting ends at `at_most`."""
    async with connected(pool) as connection:
        size: int = await connection.fetchval(
            "select count(*) from (select 1 from trips where started_at is null limit $1) as waiting", at_most
        )
    return size


async def count_by_status(pool: Pool) -> dict[str, int]:
    """The number of trips for each status that is not final."""
    async with connected(pool) as connection:
        rows = await connection.fetch(
            "select status, count(*) as trips from trips where status <> all($1::text[]) group by status",
            FINAL,
        )
    return {row["status"]: row["trips"] for row in rows}
