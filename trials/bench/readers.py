"""Readers of event streams: does each get every change once and in order, and what does the front door pay?

Run as `python -m trials.bench.readers`. Fifty trips that slow partners draw out run twice: unread, then with
ten readers each. Every reader goes away in the middle of its trip and comes back with `Last-Event-ID`. Prints
a line, writes `results/readers.json`, and exits 1 if a reader missed a change or got one twice.
"""

import asyncio
import math
import sys
import time
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

import psutil

from record.pool import open_pool
from trials.orders import PARTNERS, bench_order
from trials.report import save_results
from trials.statistics import percentile
from trials.traveller import Traveller
from trials.world import QUIET, World, fresh_ground

TRIPS = 50
READERS_A_TRIP = 10
LATENCY_MS = 400
LEAVES_AFTER = 5
"""A reader goes away after 1 to so many events."""
LIMIT_S = 120.0

SETTINGS = QUIET | {"TRIPS_LOCAL_ATTEMPT_S": "0"}
"""Each call is an ordinary activity, after which the trip is saved."""

Written = dict[str, dict[int, float]]
"""By trip and event, when the event was written, in seconds since 1970 by the database's clock."""


class Got(NamedTuple):
    """An event that a reader got, `at` in seconds since 1970, and `before_at` the one before it.

    `before_at` is infinite for the first event of a connection.
    """

    event: int
    at: float
    before_at: float


class Seen(NamedTuple):
    trip_id: str
    events: list[Got]


class Cost(NamedTuple):
    """The front door's CPU time so far in seconds, and its resident memory in bytes."""

    cpu_s: float
    rss: int


def _cost(world: World) -> Cost:
    process = psutil.Process(world.pid("api"))
    times = process.cpu_times()
    return Cost(times.user + times.system, process.memory_info().rss)


async def _book(traveller: Traveller) -> list[str]:
    booked = await asyncio.gather(*(traveller.book(bench_order()) for _ in range(TRIPS)))
    return [trip["trip_id"] for trip in booked]


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


async def _watched(traveller: Traveller) -> list[Seen]:
    trip_ids = await _book(traveller)
    readers = (
        _read(traveller, trip_id, 1 + number % LEAVES_AFTER)
        for trip_id in trip_ids
        for number in range(READERS_A_TRIP)
    )
    async with asyncio.timeout(LIMIT_S):
        return list(await asyncio.gather(*readers))


async def _written(database_url: str, trip_ids: Sequence[str]) -> Written:
    async with open_pool(database_url) as pool:
        rows = await pool.fetch(
            "select trip_id, version, at from trip_events where trip_id = any($1) order by version", trip_ids
        )
    written: Written = {trip_id: {} for trip_id in trip_ids}
    for row in rows:
        written[row["trip_id"]][row["version"]] = row["at"].timestamp()
    return written


def _late_ms(seen: Sequence[Seen], written: Written) -> list[float]:
    """How long after its writing each event came, if its reader was connected by then."""
    return [
        1000 * (got.at - at)
        for one in seen
        for got in one.events
        if (at := written[one.trip_id][got.event]) > got.before_at
    ]


async def measure() -> dict[str, Any]:
    async with fresh_ground(SETTINGS) as ground:
        traveller, world = ground.traveller, ground.world
        for partner in PARTNERS:
            await traveller.break_partner(partner, latency_ms=LATENCY_MS)
        start = _cost(world)
        for trip_id in await _book(traveller):
            await traveller.until(trip_id, within_s=LIMIT_S)
        before = _cost(world)
        seen = await _watched(traveller)
        after = _cost(world)
        written = await _written(world.database_url, list({one.trip_id for one in seen}))
    wrong = [one for one in seen if [got.event for got in one.events] != list(written[one.trip_id])]
    late_ms = _late_ms(seen, written)
    return {
        "trips": TRIPS,
        "readers": len(seen),
        "events_read": sum(len(one.events) for one in seen),
        "readers_wrong": len(wrong),
        "late_ms_p50": percentile(late_ms, 0.5),
        "late_ms_p99": percentile(late_ms, 0.99),
        "cpu_s_unread": before.cpu_s - start.cpu_s,
        "cpu_s_read": after.cpu_s - before.cpu_s,
        "rss_mb_before": before.rss / 1e6,
        "rss_mb_after": after.rss / 1e6,
    }


def main() -> int:
    found = asyncio.run(measure())
    save_results("readers", found)
    print(", ".join(f"{name} {round(value, 1):g}" for name, value in found.items()))
    return 1 if found["readers_wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
