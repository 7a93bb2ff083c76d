"""The herd for real: trips at a steady rate, and a partner that is down for a while, behind four guards.

Each guard has a fresh system with one worker. The trips are of one stay and its payment, and wait for a
partner that is down. The lab cuts every connection to it, also the health check's, and records the calls.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from trials.orders import PARTNERS, STAYS, small_order
from trials.statistics import between, busiest
from trials.traveller import Traveller
from trials.world import QUIET, fresh_ground

TRIPS_PER_S = 4
SOON_S = 5.0
WINDOW_S = 0.1
DEADLINE_S = 600
WAIT_S = 120.0
SICK = STAYS[-1]

_SAME = QUIET | {
    "TRIPS_RETRY_BASE_S": "1",
    "TRIPS_RETRY_CAP_S": "8",
    "TRIPS_RETRY_ATTEMPTS": "1000",
    "TRIPS_RETRY_BUDGET_MIN_PER_S": "100000",
}


Row = dict[str, Any]


class Guard(NamedTuple):
    """Settings under which the system runs; without `breakers` these are held closed."""

    name: str
    settings: Mapping[str, str]
    breakers: bool = False


GUARDS = (
    Guard("none: again every second", {"TRIPS_RETRY_JITTER": "none", "TRIPS_RETRY_CAP_S": "1"}),
    Guard("backoff", {"TRIPS_RETRY_JITTER": "none"}),
    Guard("backoff, full jitter", {"TRIPS_RETRY_JITTER": "full"}),
    Guard(
        "backoff, full jitter, budget, breaker",
        {
            "TRIPS_RETRY_JITTER": "full",
            "TRIPS_RETRY_BUDGET_MIN_PER_S": "10",
            "TRIPS_BREAKER_OPEN_S": "5",
            "TRIPS_PROBE_INTERVAL_S": "2",
        },
        breakers=True,
    ),
)


async def measure(before_s: float, outage_s: float, after_s: float) -> dict[str, Row]:
    """A row for each guard; trips are booked before, during and after the outage."""
    rows = {guard.name: await _measure(guard, before_s, outage_s, after_s) for guard in GUARDS}
    unguarded = max(1, rows[GUARDS[0].name]["calls_in_outage"])
    return {
        name: row | {"of_unguarded": 100 * row["calls_in_outage"] / unguarded} for name, row in rows.items()
    }


async def _measure(guard: Guard, before_s: float, outage_s: float, after_s: float) -> Row:
    async with fresh_ground({**_SAME, **guard.settings}) as ground:
        traveller = ground.traveller
        await traveller.warm_up()
        if not guard.breakers:
            for partner in PARTNERS:
                await traveller.override_breaker(partner, "closed")
        async with asyncio.TaskGroup() as group:
            booking = group.create_task(_booked(traveller, before_s + outage_s + after_s))
            outage = group.create_task(_outage(traveller, before_s, outage_s))
        ended = [await traveller.until(trip_id, within_s=WAIT_S) for trip_id in booking.result()]
        at = [call.at for call in await traveller.received(SICK)]
    return {
        "trips": len(ended),
        "confirmed": sum(trip["status"] == "confirmed" for trip in ended),
        **_seen(at, *outage.result(), before_s, after_s),
    }


async def _booked(traveller: Traveller, for_s: float) -> list[str]:
    """Book at a steady rate."""
    started, trips = time.monotonic(), []
    async with asyncio.TaskGroup() as group:
        for number in range(int(for_s * TRIPS_PER_S)):
            await asyncio.sleep(started + number / TRIPS_PER_S - time.monotonic())
            order = small_order(SICK, when_partner_down="wait", deadline_s=DEADLINE_S)
            trips.append(group.create_task(traveller.book(order)))
    return [trip.result()["trip_id"] for trip in trips]


async def _outage(traveller: Traveller, before_s: float, outage_s: float) -> tuple[float, float]:
    """When the partner went down and came back, in seconds since 1970."""
    await asyncio.sleep(before_s)
    await traveller.break_partner(SICK, down=True)
    down_at = time.time()
    await asyncio.sleep(outage_s)
    await traveller.mend_partner(SICK)
    return down_at, time.time()


def _seen(at: list[float], down_at: float, up_at: float, before_s: float, after_s: float) -> Row:
    steady_from = down_at - before_s / 2
    return {
        "calls_in_outage": between(at, down_at, up_at),
        "calls_soon_after": between(at, up_at, up_at + SOON_S),
        "steady_per_s": between(at, steady_from, down_at) / (down_at - steady_from),
        "steady_busiest": busiest(at, steady_from, down_at, WINDOW_S),
        "after_busiest": busiest(at, up_at, up_at + after_s, WINDOW_S),
        "at_s": [round(moment - down_at, 3) for moment in at],
    }
