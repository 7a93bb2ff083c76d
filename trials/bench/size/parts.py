"""The parts of the measurement, each on a fresh system of its own."""

import asyncpg

from trials.bench.size import auditing, dropping, listeners, reading
from trials.bench.size.plan import Plan
from trials.filling import fill
from trials.report import Results
from trials.world import QUIET, fresh_ground

# Trips that no workflow carries are not taken over, and nothing is dropped but by the measurement.
SETTINGS = QUIET | {"TRIPS_UPKEEP_S": "3600", "TRIPS_KEEP_EVENTS_DAYS": "3650"}

_BYTES = "select pg_total_relation_size($1::text::regclass)"


async def full(plan: Plan) -> Results:
    """Reading, auditing and dropping in a record that is full."""
    async with fresh_ground(SETTINGS) as ground:
        record = await asyncpg.connect(ground.world.database_url, timeout=10)
        try:
            await fill(record, plan.trips, plan.events)
            space = [await record.fetchval(_BYTES, table) for table in ("trips", "trip_events")]
            read = await reading.measured(ground, record, plan)
            audited = await auditing.measured(ground, record, plan)
            dropped = await dropping.measured(ground.world.database_url, record)
        finally:
            await record.close(timeout=5)
    return {
        "bytes": {"trip": space[0] / plan.trips, "event": space[1] / plan.trips / plan.events},
        "reading": read,
        "auditing": audited,
        "dropping": dropped,
        "wrong": audited["wrong"],
    }


async def listening(plan: Plan) -> Results:
    """Saves a second."""
    async with fresh_ground(SETTINGS) as ground:
        about = (plan.listeners, plan.rounds, plan.seconds)
        return {"rates": await listeners.rates(ground.world.database_url, *about)}
