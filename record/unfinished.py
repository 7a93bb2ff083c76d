"""Trips that have not ended, and the lease under which one worker at a time looks after them.

Only trips that a workflow carries; choreographed ones are in record/choreographed.py.
"""

from datetime import timedelta

import asyncpg

from record.pool import Pool, connected

# The first condition is spelt as in the index `trips_unfinished`.
_UNFINISHED = "status not in ('confirmed', 'failed', 'cancelled') and coordination = 'orchestration'"


async def started(pool: Pool, after: str, limit: int) -> list[str]:
    """The ids after `after` of trips that have started and not ended, in their order."""
    async with connected(pool) as connection:
        rows = await connection.fetch(
            f"""
            select trip_id from trips
            where {_UNFINISHED} and started_at is not null and trip_id > $1 order by trip_id limit $2
            """,  # noqa: S608 - made of a constant
            after,
            limit,
        )
    return [row["trip_id"] for row in rows]


async def left(pool: Pool, trip_id: str) -> asyncpg.Record | None:
    """The `booking` and the `trip` as far as it has come, and whether it `has_started`.

    None if the trip has ended or is not known.
    """
    async with connected(pool) as connection:
        return await connection.fetchrow(
            f"""
            select booking, trip, started_at is not null as has_started from trips
            where trip_id = $1 and {_UNFINISHED}
            """,  # noqa: S608 - made of a constant
            trip_id,
        )


async def lease(pool: Pool, name: str, time: timedelta) -> bool:
    """Take the lease for so long. False if it is taken."""
    async with connected(pool) as connection:
        taken: bool | None = await connection.fetchval(
            """
            insert into leases as l values ($1, now() + $2)
            on conflict (name) do update set until = excluded.until where l.until <= now()
            returning true
            """,
            name,
            time,
        )
    return bool(taken)
