"""How long the front door takes to read a record of 100,000 trips: pages at its ends, and one trip.

Run as `python -m trials.bench.reading`; prints milliseconds, writes `results/reading.json`. Exits 1 if a page
in the middle takes a fifth longer than the first, by the medians.
"""

import asyncio
import sys
import time

import asyncpg

from trials.filling import fill
from trials.report import Bar, save_results, table, verdict
from trials.statistics import percentile
from trials.world import QUIET, Ground, fresh_ground

TRIPS = 100_000
ROUNDS = 400
WARM_UP = 40
MOST_RATIO = 1.2

Timings = dict[str, list[float]]


async def measure() -> Timings:
    """Milliseconds of each reading, one kind after the other in each round."""
    async with fresh_ground(QUIET) as ground:
        paths = await _paths(ground.world.database_url)
        timings: Timings = {name: [] for name in paths}
        for _ in range(WARM_UP + ROUNDS):
            for name, path in paths.items():
                timings[name].append(await _took_ms(ground, path))
    return {name: found[WARM_UP:] for name, found in timings.items()}


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


async def _took_ms(ground: Ground, path: str) -> float:
    start = time.perf_counter()
    status, answer = await ground.traveller.call("GET", path)
    assert status == 200, answer
    return 1000 * (time.perf_counter() - start)


def main() -> int:
    rows = {
        name: {f"p{share}_ms": percentile(found, share / 100) for share in (50, 99)}
        for name, found in asyncio.run(measure()).items()
    }
    ratio = rows["page in the middle"]["p50_ms"] / rows["first page"]["p50_ms"]
    shown = ((name, f"{row['p50_ms']:.2f} ms", f"{row['p99_ms']:.2f} ms") for name, row in rows.items())
    print(table((f"{TRIPS:,} trips", "p50", "p99"), shown) + f"\n\nmiddle to first: {ratio:.2f}")
    save_results("reading", rows | {"middle_to_first": ratio})
    return verdict([Bar("a page in the middle, beside the first", ratio, MOST_RATIO)])


if __name__ == "__main__":
    sys.exit(main())
