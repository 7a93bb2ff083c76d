"""How long the front door takes to read a record of 100,000 trips: pages at its ends, and one trip.

Run as `python -m trials.bench.reading`; prints milliseconds, writes `results/reading.json`. Exits 1 if a page
in the middle takes a fifth longer than the first, by the medians.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

import aiohttp
import asyncpg

from tests.conftest import RunningSystem
from tests.record.filling import fill
from trials.bench.guard.ground import CALL_TIMEOUT, UNHURRIED, fresh_system

TRIPS = 100_000
ROUNDS = 400
WARM_UP = 40
MOST_RATIO = 1.2
RESULTS = Path("results")

Timings = dict[str, list[float]]


async def measure(system: RunningSystem) -> Timings:
    """Seconds of each reading, one kind after the other in each round."""
    paths = await _paths(system.database_url)
    timings: Timings = {name: [] for name in paths}
    authorization = {"Authorization": f"Bearer {system.tokens['traveller']}"}
    async with aiohttp.ClientSession(timeout=CALL_TIMEOUT, headers=authorization) as http:
        for _ in range(WARM_UP + ROUNDS):
            for name, path in paths.items():
                timings[name].append(await _seconds(http, system.api + path))
    return {name: seconds[WARM_UP:] for name, seconds in timings.items()}


async def _paths(database_url: str) -> dict[str, str]:
    connection = await asyncpg.connect(database_url, timeout=10)
    await fill(connection, TRIPS)
    trip_id = f"trip-{TRIPS // 2 + 1:09}"
    at = await connection.fetchval("select created_at from trips where trip_id = $1", trip_id)
    await connection.close(timeout=5)
    return {
        "first page": "/trips",
        "page in the middle": f"/trips?cursor={1_000_000 * at.timestamp():.0f}.{trip_id}",
        "one trip": f"/trips/{trip_id}",
    }


async def _seconds(http: aiohttp.ClientSession, url: str) -> float:
    start = time.perf_counter()
    async with http.get(url) as answer:
        await answer.read()
        assert answer.status == 200, await answer.text()
    return time.perf_counter() - start


def figures(seconds: list[float]) -> dict[str, float]:
    """Median and 99th percentile, in milliseconds."""
    ordered = sorted(seconds)
    return {f"p{share}_ms": 1000 * ordered[len(ordered) * share // 100] for share in (50, 99)}


def main() -> int:
    """Measure, print and write; 1 where the bar is missed."""
    with fresh_system(UNHURRIED) as system:
        rows = {name: figures(seconds) for name, seconds in asyncio.run(measure(system)).items()}
    ratio = rows["page in the middle"]["p50_ms"] / rows["first page"]["p50_ms"]
    print(f"| {TRIPS:,} trips | p50 | p99 |\n| --- | ---: | ---: |")
    for name, row in rows.items():
        print(f"| {name} | {row['p50_ms']:.2f} ms | {row['p99_ms']:.2f} ms |")
    print(f"\nmiddle to first: {ratio:.2f}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "reading.json").write_text(json.dumps(rows | {"middle_to_first": ratio}, indent=1) + "\n")
    return 1 if ratio > MOST_RATIO else 0


if __name__ == "__main__":
    sys.exit(main())
