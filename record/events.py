"""The events of trips: each state that a trip has had, in the order of its versions.

record/trips.py writes the rows, in the same statements that write the trips.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg

from record.pool import Pool, connected
from trip.trip import FINAL_STATUSES

PAGE = 50
"""The most events of a trip that are read at once."""

_FINAL = [status.value for status in FINAL_STATUSES]

# Old events go. The trip's row stands for its newest one.
_NEWER = """
    select seen.trip_id, e.version, e.trip,
           t.status = any($3) and e.version = t.version as is_final
    from unnest($1::text[], $2::bigint[]) as seen (trip_id, version)
    join trips t using (trip_id)
    cross join lateral (
        (select version, trip from trip_events
         where trip_id = seen.trip_id and version > seen.version order by version limit $4)
        union all
        select t.version, t.trip where t.version > seen.version and not exists (
            select from trip_events where trip_id = seen.trip_id and version >= t.version)) as e
    order by seen.trip_id, e.version
    """


@dataclass(frozen=True)
class Standing:
    """Where a trip stands: the version of its newest event, and whether that event is the last."""

    newest: int
    has_ended: bool


async def standing(pool: Pool, trip_id: str, tenant: str) -> Standing | None:
    """Where the trip stands. None if the tenant has no such trip."""
    async with connected(pool) as connection:
        row = await connection.fetchrow(
            "select version, status = any($3) as has_ended from trips where trip_id = $1 and tenant = $2",
            trip_id,
            tenant,
            _FINAL,
        )
    return None if row is None else Standing(newest=row["version"], has_ended=row["has_ended"])


async def newer(pool: Pool, seen: Mapping[str, int]) -> list[asyncpg.Record]:
    """For each trip, the first PAGE events after the version that was `seen`, oldest first.

    Each event has `trip_id`, `version`, `trip` and `is_final`, true for a trip's last event.
    """
    async with connected(pool) as connection:
        return await connection.fetch(_NEWER, list(seen), list(seen.values()), _FINAL, PAGE)
