"""A burst of trips at a system that has just started: are all accepted, and when are they all carried out?"""

import asyncio
import time
from collections.abc import Iterator, Mapping

import aiohttp
import asyncpg

from trials.orders import Json, bench_order
from trials.report import Results
from trials.statistics import percentiles
from trials.traveller import FINAL
from trials.world import Ground
from trip.order import MAX_DEADLINE_S

AT_ONCE = 100
ACCEPTED = "202"
LOOK_EVERY_S = 1.0
DRAIN_LIMIT_S = 3600.0

_STATUSES = """
    select status, count(*) as trips, count(*) filter (where started_at is null) as owed
    from trips group by status
"""
_WAITS = """
    select extract(epoch from updated_at - created_at)::float8 as waited
    from trips where status = any($1)
"""

Took = dict[str, list[float]]
"""Seconds that each request took, by the status of its answer, or by the name of the error."""


def patient_order() -> Json:
    return bench_order(deadline_s=MAX_DEADLINE_S)


async def measured(ground: Ground, trips: int) -> Results:
    """The answers of the front door, and how the trips ended, with a look a second on the way.

    A look: seconds since the first request, requests answered, trips whose start is owed, trips ended.
    """
    took_s, begin = Took(), time.monotonic()
    looks: list[tuple[float, ...]] = []
    async with asyncpg.create_pool(ground.world.database_url, min_size=1, command_timeout=60) as record:
        posting = asyncio.create_task(_post_all(ground, took_s, trips))
        is_drained = False
        while not is_drained and time.monotonic() < begin + DRAIN_LIMIT_S:
            await asyncio.sleep(LOOK_EVERY_S)
            known, owed, ended = await _look(record)
            looks.append((time.monotonic() - begin, sum(map(len, took_s.values())), owed, ended))
            is_drained = posting.done() and ended == known
        statuses = {row["status"]: row["trips"] for row in await record.fetch(_STATUSES)}
        waited_s = [row["waited"] for row in await record.fetch(_WAITS, list(FINAL))]
    return {
        "trips": trips,
        "answers": {status: len(took) for status, took in took_s.items()},
        "posts_per_s": trips / await posting,
        **percentiles("post", took_s.get(ACCEPTED, []), "ms", 1000),
        "drained_s": looks[-1][0],
        "trips_per_s": looks[-1][3] / looks[-1][0],
        **percentiles("waited", waited_s, "s"),
        "statuses": statuses,
        "wrong": list(_not_confirmed(took_s, statuses)),
        "looks": [[round(one, 1) for one in look] for look in looks],
    }


async def _post_all(ground: Ground, took_s: Took, trips: int) -> float:
    """Seconds until the last was answered."""
    begin, left = time.monotonic(), iter(range(trips))

    async def one_after_another() -> None:
        for _ in left:
            start = time.monotonic()
            outcome = await _post(ground)
            took_s.setdefault(outcome, []).append(time.monotonic() - start)

    await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))
    return time.monotonic() - begin


async def _post(ground: Ground) -> str:
    try:
        status, _ = await ground.traveller.call("POST", "/trips", json=patient_order())
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return type(error).__name__
    return str(status)


async def _look(record: asyncpg.Pool) -> tuple[int, int, int]:
    """Trips known, trips whose start is owed, and trips that have ended."""
    rows = await record.fetch(_STATUSES)
    known, owed = (sum(row[name] for row in rows) for name in ("trips", "owed"))
    return known, owed, sum(row["trips"] for row in rows if row["status"] in FINAL)


def _not_confirmed(took_s: Took, statuses: Mapping[str, int]) -> Iterator[str]:
    for outcome, took in took_s.items():
        if outcome != ACCEPTED:
            yield f"{len(took)} of the burst: {outcome}"
    for status, number in statuses.items():
        if status != "confirmed":
            yield f"{number} of the burst: {status}"
