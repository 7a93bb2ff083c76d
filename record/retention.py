"""For how long the record keeps what, and how it drops what is older: in batches, oldest first."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import NamedTuple

from record.erasure import ASKED, Forget, erase_trips, forgotten
from record.pool import Pool, connected

BATCH = 1000
TRIPS = 50


class Keep(NamedTuple):
    """How long after its time each kind is dropped; None keeps it.

    `travellers` are taken out of trips that have ended. `undone` are trips that failed or were cancelled.
    Confirmed trips stay: their partners list what was booked, and the audit compares the two.
    """

    events: timedelta | None = None
    attempts: timedelta | None = None
    messages: timedelta | None = None
    travellers: timedelta | None = None
    undone: timedelta | None = None
    acts: timedelta | None = None


def _older(table: str, moment: str) -> str:
    return f"""
        delete from {table} where ctid = any(array(
            select ctid from {table} where {moment} < now() - $1::interval order by {moment} limit $2))
        """  # noqa: S608 - constants of this module


_DROP = {
    "events": _older("trip_events", "at"),
    "attempts": _older("attempts", "at"),
    "messages": _older("trip_messages", "heard_at"),
    "acts": _older("acts", "at"),
}

# The first condition of each is spelt as in its index.
_WITH_TRAVELLER = f"""
    select trip_id, coordination, {ASKED} from trips
    where erased_at is null and ended_at < now() - $1::interval
    order by ended_at limit $2
    """  # noqa: S608 - a constant
_UNDONE = f"""
    select trip_id, coordination, {ASKED} from trips
    where status in ('failed', 'cancelled') and ended_at < now() - $1::interval
    order by ended_at limit $2
    """  # noqa: S608 - a constant


async def sweep(pool: Pool, keep: Keep, forget: Forget) -> bool:
    """Drop a batch of each kind. Returns whether there is more. Raises RecordAway, and what `forget` does."""
    is_more = False
    for kind, time in keep._asdict().items():
        if time is not None:
            is_more |= await _SWEEPS[kind](pool, kind, time, forget)
    return is_more


async def _rows(pool: Pool, kind: str, time: timedelta, _forget: Forget) -> bool:
    async with connected(pool) as connection:
        done: str = await connection.execute(_DROP[kind], time, BATCH)
    return done == f"DELETE {BATCH}"


async def _travellers(pool: Pool, _kind: str, time: timedelta, forget: Forget) -> bool:
    trip_ids = await _forgotten(pool, _WITH_TRAVELLER, time, forget)
    await erase_trips(pool, trip_ids)
    return len(trip_ids) == TRIPS


async def _undone(pool: Pool, _kind: str, time: timedelta, forget: Forget) -> bool:
    trip_ids = await _forgotten(pool, _UNDONE, time, forget)
    async with connected(pool) as connection:
        await connection.execute("delete from trips where trip_id = any($1)", trip_ids)
    return len(trip_ids) == TRIPS


async def _forgotten(pool: Pool, sql: str, time: timedelta, forget: Forget) -> list[str]:
    """The trips that are found, which are kept in the record alone by then."""
    async with connected(pool) as connection:
        rows = await connection.fetch(sql, time, TRIPS)
    return await forgotten(rows, forget)


_SWEEPS: dict[str, Callable[[Pool, str, timedelta, Forget], Awaitable[bool]]] = {
    **dict.fromkeys(_DROP, _rows),
    "travellers": _travellers,
    "undone": _undone,
}
