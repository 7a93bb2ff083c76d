"""The audit of the last trips, with a full record behind them and in a record of their own."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import asyncpg

from audit.endpoints import Endpoints
from audit.windows import SETTLING, audit_new
from record import audit_windows as windows
from record.audit_windows import BEFORE_ALL, Place, written
from record.pool import open_pool
from trials.bench.growth.parts import booking
from trials.bench.size.plan import Plan
from trials.filling import VACUUM_TIMEOUT_S, migrate
from trials.load import Load, count
from trials.orders import bench_order
from trials.polling import until
from trials.report import Results
from trials.world import Ground

ALONE, BEHIND = "alone", "behind"
IN_FLIGHT = 10

_DROP_UNFINISHED = "delete from trips where status not in ('confirmed', 'failed', 'cancelled')"
_BOOKED = "select * from trips where trip_id not like 'trip-%'"
_IS_SETTLED = "select max(ended_at) < now() - $1::interval from trips where trip_id not like 'trip-%'"
_LAST_BEHIND = """
    select ended_at, trip_id from trips where trip_id like 'trip-%' and ended_at is not null
    order by ended_at desc, trip_id desc limit 1
    """


async def measured(ground: Ground, record: asyncpg.Connection, plan: Plan) -> Results:
    """Seconds of each audit, of the two in turn, and how many discrepancies all of them found.

    The trips behind have ended before, and count as audited.
    """
    await record.execute(_DROP_UNFINISHED, timeout=60)
    last = await record.fetchrow(_LAST_BEHIND, timeout=60)
    assert last is not None, "the record is full"
    place: Place = last["ended_at"], last["trip_id"]
    load = Load()
    await count(booking(ground, bench_order), load, plan.audited, IN_FLIGHT)
    await _until_settled(record)
    # The record of its own has no dead rows either, and its statistics are as new.
    await record.execute("vacuum analyze trips", timeout=VACUUM_TIMEOUT_S)
    took: dict[str, list[float]] = {ALONE: [], BEHIND: []}
    wrong = list(load.wrong)
    async with _on_its_own(ground, record) as alone:
        behind = ground.world.endpoints()
        for number in range(plan.audits):
            for name in sorted(took, reverse=number % 2 == 0):  # neither always comes first
                endpoints = alone if name == ALONE else behind
                await _begin(endpoints.database_url, BEFORE_ALL if name == ALONE else place)
                report = await audit_new(endpoints)
                wrong += [f"{one.code}: {one.subject}" for one in report.discrepancies]
                took[name].append(report.took_s)
            print(", ".join(f"{name} {one[-1]:.2f} s" for name, one in took.items()), flush=True)
    return {"took_s": took, "wrong": wrong}


async def _until_settled(record: asyncpg.Connection) -> None:
    """The audit goes through trips once they have stood still for a while."""

    async def is_settled() -> bool:
        return bool(await record.fetchval(_IS_SETTLED, SETTLING))

    await until(is_settled, within_s=2 * SETTLING.total_seconds(), every_s=1)


@asynccontextmanager
async def _on_its_own(ground: Ground, record: asyncpg.Connection) -> AsyncIterator[Endpoints]:
    """A record of the booked trips alone, in a database of its own beside the full one."""
    server = await asyncpg.connect(ground.world.superuser_url, timeout=10)
    try:
        await server.execute(f"create database {ALONE} owner trips", timeout=60)
    finally:
        await server.close(timeout=5)
    endpoints = ground.world.endpoints()
    url = urlsplit(endpoints.database_url)._replace(path=f"/{ALONE}").geturl()
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await migrate(connection)
        rows = io.BytesIO()
        await record.copy_from_query(_BOOKED, output=rows, timeout=60)
        rows.seek(0)
        await connection.copy_to_table("trips", source=rows, timeout=60)
        await connection.execute("vacuum analyze trips", timeout=60)
    finally:
        await connection.close(timeout=5)
    yield replace(endpoints, database_url=url)


async def _begin(database_url: str, after: Place) -> None:
    """Have the next audit begin after a place, with no tallies."""
    async with open_pool(database_url, size=1) as pool:
        await windows.forget(pool)
        for what in (windows.ENDED, windows.AGAIN):
            await windows.move(pool, what, None, written(after))
