"""Readers of event streams: does each get every change once and in order, and what does the front door pay?

Run as `python -m trials.bench.readers`. Fifty trips that slow partners draw out run twice: unread, then with
ten readers each, every one of which goes away amid its trip and comes back with `Last-Event-ID`. Prints a
line, writes `results/readers.json`, and exits 1 where a reader missed a change or got one twice.
"""

import asyncio
import json
import math
import sys
import time
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import psutil

from record.pool import Pool, open_pool
from tests.conftest import RunningSystem
from tests.traveller import Traveller, bench_order
from trials.bench.guard.ground import UNHURRIED, all_ended, fresh_system
from trip.partner import Partner

RESULTS = Path("results")
TRIPS = 50
READERS_A_TRIP = 10
LATENCY_MS = 400
LEAVES_AFTER = 5
"""A reader goes away after 1 to so many events."""
LIMIT_S = 120.0

ENVIRONMENT = UNHURRIED | {"TRIPS_LOCAL_ATTEMPT_S": "0"}
"""Each call is an ordinary activity, after which the trip is saved."""


class Got(NamedTuple):
    """An event that a reader got, and when, and when the one before it on the same connection, if any did.

    In seconds since 1970.
    """

    event: int
    at: float
    before_at: float


class Seen(NamedTuple):
    """What one reader got."""

    trip_id: str
    events: list[Got]


class Cost(NamedTuple):
    """The front door's CPU time so far in seconds, and its resident memory in bytes."""

    cpu_s: float
    rss: int


def _cost(system: RunningSystem) -> Cost:
    process = psutil.Process(system.pid("api"))
    times = process.cpu_times()
    return Cost(times.user + times.system, process.memory_info().rss)


async def _book(traveller: Traveller) -> list[str]:
    return [trip["trip_id"] for trip in await asyncio.gather(*map(traveller.book, _orders()))]


def _orders() -> list[dict[str, Any]]:
    return [bench_order() for _ in range(TRIPS)]


async def _read(traveller: Traveller, trip_id: str, leaves_after: int) -> Seen:
    """Read so many events, go away, come back, and read on to the end."""
    seen = Seen(trip_id, [])
    for stop_at in (leaves_after, None):
        after = str(seen.events[-1].event) if seen.events else None
        before_at = math.inf
        async with aclosing(traveller.events(trip_id, after)) as stream:
            async for event in stream:
                seen.events.append(Got(int(event.id), time.time(), before_at))
                before_at = seen.events[-1].at
                if len(seen.events) == stop_at:
                    break
    return seen


async def _watched(traveller: Traveller, system: RunningSystem) -> tuple[list[Seen], Cost]:
    """What all readers got, and what the front door had paid when the last of them had come back."""
    trip_ids = await _book(traveller)
    readers = [
        asyncio.create_task(_read(traveller, trip_id, 1 + number % LEAVES_AFTER))
        for trip_id in trip_ids
        for number in range(READERS_A_TRIP)
    ]
    peak = _cost(system)
    async with asyncio.timeout(LIMIT_S):
        while not any(reader.done() for reader in readers):
            peak = max(peak, _cost(system), key=lambda cost: cost.rss)
            await asyncio.sleep(0.1)
        return list(await asyncio.gather(*readers)), peak


async def _written(pool: Pool, trip_ids: Sequence[str]) -> dict[str, dict[int, float]]:
    """When each event of the trips was written, by the database's clock."""
    rows = await pool.fetch(
        "select trip_id, version, at from trip_events where trip_id = any($1) order by version", trip_ids
    )
    written: dict[str, dict[int, float]] = {trip_id: {} for trip_id in trip_ids}
    for row in rows:
        written[row["trip_id"]][row["version"]] = row["at"].timestamp()
    return written


def _late_ms(seen: Sequence[Seen], written: dict[str, dict[int, float]]) -> list[float]:
    """How long after its writing each event came whose reader was connected by then; sorted."""
    return sorted(
        1000 * (got.at - at)
        for one in seen
        for got in one.events
        if (at := written[one.trip_id][got.event]) > got.before_at
    )


async def _measure(system: RunningSystem) -> dict[str, Any]:
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=LIMIT_S)
    )
    async with session as http, open_pool(system.database_url) as pool:
        traveller = system.traveller(http)
        for partner in Partner:
            await traveller.break_partner(partner.value, latency_ms=LATENCY_MS)
        start = _cost(system)
        await all_ended(traveller, await _book(traveller), LIMIT_S)
        before = _cost(system)
        seen, peak = await _watched(traveller, system)
        after = _cost(system)
        written = await _written(pool, list({one.trip_id for one in seen}))
    wrong = [one for one in seen if [got.event for got in one.events] != list(written[one.trip_id])]
    late_ms = _late_ms(seen, written)
    return {
        "trips": TRIPS,
        "readers": len(seen),
        "events_read": sum(len(one.events) for one in seen),
        "readers_wrong": len(wrong),
        "late_ms_p50": late_ms[len(late_ms) // 2],
        "late_ms_p99": late_ms[len(late_ms) * 99 // 100],
        "cpu_s_unread": before.cpu_s - start.cpu_s,
        "cpu_s_read": after.cpu_s - before.cpu_s,
        "rss_mb_before": before.rss / 1e6,
        "rss_mb_peak": peak.rss / 1e6,
        "rss_mb_after": after.rss / 1e6,
    }


def main() -> int:
    """Measure; 1 where a reader missed a change or got one twice."""
    with fresh_system(ENVIRONMENT) as system:
        found = asyncio.run(_measure(system))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "readers.json").write_text(json.dumps(found, indent=1) + "\n")
    print(", ".join(f"{name} {round(value, 1):g}" for name, value in found.items()))
    return 1 if found["readers_wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
