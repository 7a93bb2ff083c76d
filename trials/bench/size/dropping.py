"""What is too old is dropped in batches: how long each takes, and what others notice of it."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

import asyncpg

from record.erasure import Forget
from record.pool import Pool, open_pool
from record.retention import Keep, sweep
from trials.bench.size.listeners import Written, accepted
from trials.report import Results
from trials.statistics import Figures, percentile
from trip.partner import Partner

DAY = timedelta(days=1)
CALM_S = 10.0
PAUSE_S = 0.02
LIMIT_S = 600.0

_AGE = {
    "events": "select now() - (min(at) + $1::interval) from trip_events",
    "undone": """
        select now() - (min(ended_at) + $1::interval) from trips where status in ('failed', 'cancelled')
        """,
}
_ROWS = {
    "events": "select count(*) from trip_events where at < now() - $1::interval",
    "undone": """
        select count(*) from trips where status in ('failed', 'cancelled') and ended_at < now() - $1::interval
        """,
}
_AT_ONCE = "delete from trip_events where at < now() - $1::interval"
_MB = "select pg_total_relation_size('trip_events') / 1048576.0"
_WRITE = """
    insert into trip_events (trip_id, version, trip)
    select trip_id, 1000000000 + number, trip
    from (select trip_id, trip from trips order by created_at desc limit $1) as newest,
         generate_series(1, 10) as number
    """


async def measured(database_url: str, record: asyncpg.Connection) -> Results:
    """A day of each kind in batches, another day of events in one statement, and the space they leave.

    Nobody else has to forget these trips, so a batch is the record's work alone.
    """
    async with open_pool(database_url) as pool:
        saver = await accepted(pool)
        before = await record.fetchval(_MB)
        found = {
            "calm": _saves(await _saves_ms(pool, saver, asyncio.create_task(asyncio.sleep(CALM_S)))),
            "events": await _in_batches(pool, record, "events", saver),
            "undone": await _in_batches(pool, record, "undone", saver),
            "at once": await _in_one(pool, record, saver),
        }
    await record.execute("vacuum trip_events", timeout=LIMIT_S)
    dropped = found["events"]["rows"] + found["at once"]["rows"]
    await record.execute(_WRITE, dropped // 10, timeout=LIMIT_S)
    return {"rows": found, "mb": [float(before), float(await record.fetchval(_MB))]}


async def _in_batches(pool: Pool, record: asyncpg.Connection, kind: str, saver: Written) -> Figures:
    age = await record.fetchval(_AGE[kind], DAY, timeout=LIMIT_S)
    rows = await record.fetchval(_ROWS[kind], age, timeout=LIMIT_S)
    took_ms: list[float] = []

    async def drop() -> None:
        is_more = True
        while is_more:
            start = time.perf_counter()
            is_more = await sweep(pool, Keep(**{kind: age}), Forget(_none, _none))
            took_ms.append(1000 * (time.perf_counter() - start))

    saves_ms = await _saves_ms(pool, saver, asyncio.create_task(drop()))
    times = {"s": sum(took_ms) / 1000, "batches": len(took_ms), "longest_ms": max(took_ms)}
    return {"rows": rows, **times, **_saves(saves_ms)}


async def _none(_trips: Sequence[str] | Mapping[str, Sequence[Partner]]) -> None:
    return


async def _in_one(pool: Pool, record: asyncpg.Connection, saver: Written) -> Figures:
    age = await record.fetchval(_AGE["events"], DAY, timeout=LIMIT_S)
    start = time.perf_counter()
    deleting = asyncio.create_task(record.execute(_AT_ONCE, age, timeout=LIMIT_S))
    saves_ms = await _saves_ms(pool, saver, deleting)
    took_s = time.perf_counter() - start
    rows = int((await deleting).removeprefix("DELETE "))
    return {"rows": rows, "s": took_s, "batches": 1, "longest_ms": 1000 * took_s, **_saves(saves_ms)}


async def _saves_ms(pool: Pool, saver: Written, work: "asyncio.Task[object]") -> list[float]:
    """How long saves take, one after another, until the work is done."""
    took_ms = []
    while not work.done():
        start = time.perf_counter()
        await saver.save(pool)
        took_ms.append(1000 * (time.perf_counter() - start))
        await asyncio.wait([work], timeout=PAUSE_S)
    await work
    return took_ms


def _saves(took_ms: Sequence[float]) -> Figures:
    return {"save_p50_ms": percentile(took_ms, 0.5), "save_p99_ms": percentile(took_ms, 0.99)}
