"""Two workers and a partner that goes down: what it is called until both refuse, and from then on.

Then trips that do not wait, one after another: how long each takes to be told that it failed.
"""

import asyncio
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from trials.orders import PARTNERS, STAYS, bench_order, small_order
from trials.polling import until
from trials.report import Bar, table
from trials.statistics import between, percentile
from trials.traveller import Traveller, seconds
from trials.world import QUIET, fresh_ground

SICK = STAYS[-1]
MIN_CALLS = 5
OPEN_S = 3
AT_ONCE = 20
OPENINGS = 4
FAILING_TRIPS = 50
WAIT_S = 90.0
MOST_S_TO_REFUSE = 1.5
MOST_S_TO_FAIL = 0.5

SETTINGS = QUIET | {
    "TRIPS_BREAKER_OPEN_S": str(OPEN_S),
    "TRIPS_BREAKER_MIN_CALLS": str(MIN_CALLS),
    "TRIPS_BREAKER_WINDOW_S": "5",
    "TRIPS_RETRY_BASE_S": "0.2",
    "TRIPS_RETRY_CAP_S": "1",
}


async def measure() -> list[dict[str, Any]]:
    async with fresh_ground(SETTINGS, workers=2) as ground:
        traveller = ground.traveller
        await traveller.warm_up()
        await _window_is_empty(traveller)
        down_at = time.time()
        await traveller.break_partner(SICK, down=True)
        waiting = small_order(SICK, when_partner_down="wait")
        await asyncio.gather(*(traveller.book(waiting) for _ in range(AT_ONCE)))
        opened = await until(lambda: _opened_at(traveller, OPENINGS), WAIT_S)
        at = [call.at for call in await traveller.received(SICK) if call.at >= down_at]
        return [_seen(at, opened) | await _failing(traveller)]


async def _window_is_empty(traveller: Traveller) -> None:
    """Wait until the warm-up's calls have left the breaker's window, so that the first failures decide."""

    async def no_calls() -> bool:
        _, breaker = await traveller.call("GET", f"/breakers/{SICK}")
        return not breaker["calls"]

    await until(no_calls, WAIT_S)


async def _opened_at(traveller: Traveller, times: int) -> list[float]:
    """When the breaker opened, in seconds since 1970; nothing before it has opened that often."""
    _, page = await traveller.call("GET", f"/breakers/{SICK}/events?limit=500")
    opened = sorted(seconds(event["at"]) for event in page["items"] if event["to_state"] == "open")
    return opened if len(opened) >= times else []


def _seen(at: Sequence[float], opened: Sequence[float]) -> dict[str, Any]:
    first_period = [moment for moment in at if opened[0] <= moment < opened[0] + OPEN_S]
    return {
        "min_calls": MIN_CALLS,
        "calls_to_the_trip": between(at, 0, opened[0]),
        "calls_after_the_trip": len(first_period),
        "refused_after_s": max(first_period, default=opened[0]) - opened[0],
        # The probe that ends an open period comes before its answer, which is logged as the next opening.
        "calls_an_open_period": [
            between(at, max(start, opened[0] + OPEN_S), end) for start, end in pairwise(opened)
        ],
    }


async def _failing(traveller: Traveller) -> dict[str, Any]:
    """Trips of every partner with `fail`; those that were the partner's probe are counted apart."""
    took: dict[str, float] = {}
    for _ in range(FAILING_TRIPS):
        started = time.perf_counter()
        trip = await traveller.book(bench_order(), wait=30)
        took[trip["trip_id"]] = time.perf_counter() - started
        assert trip["failure"]["code"] == "partner_unavailable", trip
    probes = {call.key for call in await traveller.received(SICK)}
    refused = [trip_id for trip_id in took if trip_id not in probes]
    others = [partner for partner in PARTNERS if partner != SICK]
    held = [await traveller.reservation(partner, trip_id) for trip_id in refused for partner in others]
    return {
        "trips_refused": len(refused),
        "trips_that_probed": len(took) - len(refused),
        "failed_p50_s": percentile([took[trip_id] for trip_id in refused], 0.5),
        "failed_max_s": max(took[trip_id] for trip_id in refused),
        "failed_max_of_probes_s": max((took[t] for t in took if t in probes), default=None),
        "held_of_refused": sum(one is not None for one in held),
    }


def table_of(rows: list[dict[str, Any]]) -> str:
    shown = ((name, f"{found:.3f}" if isinstance(found, float) else found) for name, found in rows[0].items())
    return table(("", ""), shown)


def bars(rows: list[dict[str, Any]]) -> list[Bar]:
    return [
        Bar("seconds until both workers refuse", rows[0]["refused_after_s"], MOST_S_TO_REFUSE),
        Bar("seconds until a trip with `fail` is told", rows[0]["failed_max_s"], MOST_S_TO_FAIL),
    ]
