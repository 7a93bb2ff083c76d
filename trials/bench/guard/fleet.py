"""Two workers and a partner that goes down: what it is called until both refuse, and from then on.

Then trips that do not wait, one after another: how long each takes to be told that it failed.
"""

import asyncio
import time
from itertools import pairwise
from typing import Any

from tests.conftest import RunningSystem
from tests.traveller import Traveller, bench_order
from trials.bench.guard.figures import between, median
from trials.bench.guard.ground import (
    UNHURRIED,
    Call,
    caller,
    calls_of,
    eventually,
    fresh_system,
    opened_at,
    small_order,
)

PARTNER = "flight"
MIN_CALLS = 5
OPEN_S = 3
AT_ONCE = 20
OPENINGS = 4
FAILING_TRIPS = 50
WAIT_S = 90.0
MOST_S_TO_REFUSE = 1.5
MOST_S_TO_FAIL = 0.5

ENVIRONMENT = UNHURRIED | {
    "TRIPS_WORKERS": "2",
    "TRIPS_BREAKER_OPEN_S": str(OPEN_S),
    "TRIPS_BREAKER_MIN_CALLS": str(MIN_CALLS),
    "TRIPS_BREAKER_WINDOW_S": "5",
    "TRIPS_RETRY_BASE_S": "0.2",
    "TRIPS_RETRY_CAP_S": "1",
}


def measure() -> dict[str, Any]:
    """What the partner saw, and what the travellers waited."""
    with fresh_system(ENVIRONMENT) as system:
        return asyncio.run(_measure(system))


async def _measure(system: RunningSystem) -> dict[str, Any]:
    async with caller(system) as traveller:
        await _window_is_empty(traveller)
        await traveller.break_partner(PARTNER, down=True)
        down_at = time.time()
        waiting = small_order(PARTNER, when_partner_down="wait")
        await asyncio.gather(*(traveller.book(waiting) for _ in range(AT_ONCE)))
        await _opened(traveller, OPENINGS)
        calls, opened = await calls_of(traveller, PARTNER), await opened_at(traveller, PARTNER)
        seen = _seen([call for call in calls if call.at >= down_at], opened)
        return seen | await _failing(traveller)


async def _window_is_empty(traveller: Traveller) -> None:
    """The calls that warmed the system up have left the breaker's window, so the first failures decide."""

    async def no_calls() -> bool:
        _, breaker = await traveller.call("GET", f"/breakers/{PARTNER}")
        return not breaker["calls"]

    await eventually(no_calls, WAIT_S)


async def _opened(traveller: Traveller, times: int) -> None:
    async def so_often() -> bool:
        return len(await opened_at(traveller, PARTNER)) >= times

    await eventually(so_often, WAIT_S)


def _seen(calls: list[Call], opened: list[float]) -> dict[str, Any]:
    at = [call.at for call in calls]
    first_period = [moment for moment in at if opened[0] <= moment < opened[0] + OPEN_S]
    return {
        "min_calls": MIN_CALLS,
        "calls_to_the_trip": between(at, 0, opened[0]),
        "calls_after_the_trip": len(first_period),
        "refused_after_s": max(first_period, default=opened[0]) - opened[0],
        # The probe that ends an open period is answered, and so logged as the next opening, after it came.
        "calls_an_open_period": [
            between(at, max(start, opened[0] + OPEN_S), end) for start, end in pairwise(opened)
        ],
    }


async def _failing(traveller: Traveller) -> dict[str, Any]:
    """Trips of all parts with `fail`, apart from those that were the partner's probe."""
    took: dict[str, float] = {}
    held = 0
    for _ in range(FAILING_TRIPS):
        started = time.perf_counter()
        trip = await traveller.book(bench_order(), wait=30)
        took[trip["trip_id"]] = time.perf_counter() - started
        assert trip["failure"]["code"] == "partner_unavailable", trip
    probes = {call.key for call in await calls_of(traveller, PARTNER)}
    refused = [trip_id for trip_id in took if trip_id not in probes]
    for trip_id in refused:
        for partner in ("hotel", "tour", "points", "payment"):
            held += await traveller.reservation(partner, trip_id) is not None
    return {
        "trips_refused": len(refused),
        "trips_that_probed": len(took) - len(refused),
        "failed_p50_s": median([took[trip_id] for trip_id in refused]),
        "failed_max_s": max(took[trip_id] for trip_id in refused),
        "failed_max_of_probes_s": max((took[t] for t in took if t in probes), default=None),
        "held_of_refused": held,
    }
