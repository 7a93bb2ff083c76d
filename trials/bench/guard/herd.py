"""The herd for real: trips at a steady rate, and a partner that is down for 20 s, behind four guards.

Each guard has a fresh system with one worker. The trips are of a flight and its payment and wait for a
partner that is down. The lab cuts every connection to the flight partner, the health check's too, and keeps
its record of the calls all the same.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.conftest import RunningSystem
from tests.traveller import Traveller
from trials.bench.guard.figures import between, busiest
from trials.bench.guard.ground import UNHURRIED, all_ended, caller, calls_of, fresh_system, small_order
from trip.partner import Partner

TRIPS_PER_S = 4
BEFORE_S, OUTAGE_S, AFTER_S = 10.0, 20.0, 30.0
SOON_S = 5.0
WINDOW_S = 0.1
DEADLINE_S = 600
WAIT_S = 120.0
PARTNER = "flight"
MOST_OF_UNGUARDED = 0.02

_SAME = UNHURRIED | {
    "TRIPS_RETRY_BASE_S": "1",
    "TRIPS_RETRY_CAP_S": "8",
    "TRIPS_RETRY_ATTEMPTS": "1000",
    "TRIPS_RETRY_BUDGET_MIN_PER_S": "100000",
}


@dataclass(frozen=True)
class Guard:
    """Settings under which the system is run, and whether its breakers decide."""

    name: str
    environment: Mapping[str, str] = field(default_factory=dict)
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


class Load(NamedTuple):
    """When the partner went down and came back, in seconds since 1970, and the trips booked."""

    down_at: float
    up_at: float
    trips: list[str]


def measure(guard: Guard) -> dict[str, Any]:
    """What the partner saw of the trips under one guard."""
    with fresh_system({**_SAME, **guard.environment}) as system:
        return asyncio.run(_measure(system, guard))


async def _measure(system: RunningSystem, guard: Guard) -> dict[str, Any]:
    async with caller(system) as traveller:
        if not guard.breakers:
            for partner in Partner:
                await traveller.override_breaker(partner, "closed")
        load = await _loaded(traveller)
        ended = await all_ended(traveller, load.trips, WAIT_S)
        at = [call.at for call in await calls_of(traveller, PARTNER)]
    return {
        "guard": guard.name,
        "trips": len(ended),
        "confirmed": sum(trip["status"] == "confirmed" for trip in ended),
        **_seen(load, at),
    }


async def _loaded(traveller: Traveller) -> Load:
    """Book at a steady rate before, during and after the outage."""
    async with asyncio.TaskGroup() as group:
        booking = group.create_task(_booked(traveller))
        outage = group.create_task(_outage(traveller))
    return Load(*outage.result(), booking.result())


async def _booked(traveller: Traveller) -> list[str]:
    started, trips = time.monotonic(), []
    async with asyncio.TaskGroup() as group:
        for number in range(int((BEFORE_S + OUTAGE_S + AFTER_S) * TRIPS_PER_S)):
            await asyncio.sleep(max(0.0, started + number / TRIPS_PER_S - time.monotonic()))
            order = small_order(PARTNER, when_partner_down="wait", deadline_s=DEADLINE_S)
            trips.append(group.create_task(traveller.book(order)))
    return [trip.result()["trip_id"] for trip in trips]


async def _outage(traveller: Traveller) -> tuple[float, float]:
    await asyncio.sleep(BEFORE_S)
    await traveller.break_partner(PARTNER, down=True)
    down_at = time.time()
    await asyncio.sleep(OUTAGE_S)
    await traveller.mend_partner(PARTNER)
    return down_at, time.time()


def _seen(load: Load, at: list[float]) -> dict[str, Any]:
    steady_from, end = load.down_at - BEFORE_S / 2, load.up_at + AFTER_S
    return {
        "calls_in_outage": between(at, load.down_at, load.up_at),
        "calls_soon_after": between(at, load.up_at, load.up_at + SOON_S),
        "steady_per_s": between(at, steady_from, load.down_at) / (load.down_at - steady_from),
        "steady_busiest": busiest(at, steady_from, load.down_at, WINDOW_S),
        "after_busiest": busiest(at, load.up_at, end, WINDOW_S),
        "outage_s": load.up_at - load.down_at,
        "at_s": [round(moment - load.down_at, 3) for moment in at],
    }
