"""What the front door reads of a full record, as a reader sees it."""

import asyncio
import time
from collections.abc import Mapping

import asyncpg

from api.metrics import FRESH_S
from trials.bench.size.plan import Plan
from trials.report import Results
from trials.statistics import percentile
from trials.world import Ground

WARM_UP = 40
FIGURES = "/metrics"
MEASURE_S = 1.1 * FRESH_S
"""The front door makes its figures anew, if it is asked so much later."""


async def measured(ground: Ground, record: asyncpg.Connection, plan: Plan) -> Results:
    """Milliseconds of each reading, one kind after the other in each round."""
    paths = await _paths(record, plan.trips)
    took_ms: dict[str, list[float]] = {name: [] for name in paths}
    for number in range(WARM_UP + plan.readings):
        for name, path in paths.items():
            took = await _took_ms(ground, path)
            if number >= WARM_UP:
                took_ms[name].append(took)
    took_ms[FIGURES] = await _figures(ground, plan.scrapes)
    return {name: _shares(values) for name, values in took_ms.items()}


async def _paths(record: asyncpg.Connection, trips: int) -> Mapping[str, str]:
    trip_id = f"trip-{trips // 2 + 1:09}"
    at = await record.fetchval("select created_at from trips where trip_id = $1", trip_id)
    middle = f"/trips?cursor={1_000_000 * at.timestamp():.0f}.{trip_id}"
    return {"first page": "/trips", "page in the middle": middle, "one trip": f"/trips/{trip_id}"}


async def _took_ms(ground: Ground, path: str) -> float:
    start = time.perf_counter()
    status, answer = await ground.traveller.call("GET", path)
    assert status == 200, answer
    return 1000 * (time.perf_counter() - start)


async def _figures(ground: Ground, scrapes: int) -> list[float]:
    found = []
    for _ in range(scrapes):
        await asyncio.sleep(MEASURE_S)
        start = time.perf_counter()
        async with ground.http.get(ground.world.metrics["api"]) as answer:
            assert answer.status == 200
            await answer.read()
        found.append(1000 * (time.perf_counter() - start))
    return found


def _shares(values: list[float]) -> Results:
    return {"p50_ms": percentile(values, 0.5), "p99_ms": percentile(values, 0.99)}
