"""The herd for real: trips at a steady rate, and a partner that is down for 20 s, behind four guards.

Each guard has a fresh system with one worker. The trips are of one stay and its payment, and wait for a
partner that is down. The lab cuts every connection to it, also the health check's, and records the calls.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from trials.orders import PARTNERS, STAYS, small_order
from trials.report import Bar, a_second, table
from trials.statistics import between, busiest
from trials.traveller import Traveller
from trials.world import QUIET, fresh_ground

TRIPS_PER_S = 4
BEFORE_S, OUTAGE_S, AFTER_S = 10.0, 20.0, 30.0
SOON_S = 5.0
WINDOW_S = 0.1
DEADLINE_S = 600
WAIT_S = 120.0
SICK = STAYS[-1]
MOST_OF_UNGUARDED = 0.02

_SAME = QUIET | {
    "TRIPS_RETRY_BASE_S": "1",
    "TRIPS_RETRY_CAP_S": "8",
    "TRIPS_RETRY_ATTEMPTS": "1000",
    "TRIPS_RETRY_BUDGET_MIN_PER_S": "100000",
}


class Guard(NamedTuple):
    """Settings under which the system runs; without `breakers` these are held closed."""

    name: str
    settings: Mapping[str, str]
    colour: str
    breakers: bool = False


GUARDS = (
    Guard("none: again every second", {"TRIPS_RETRY_JITTER": "none", "TRIPS_RETRY_CAP_S": "1"}, "#7f7f7f"),
    Guard("backoff", {"TRIPS_RETRY_JITTER": "none"}, "#d62728"),
    Guard("backoff, full jitter", {"TRIPS_RETRY_JITTER": "full"}, "#2ca02c"),
    Guard(
        "backoff, full jitter, budget, breaker",
        {
            "TRIPS_RETRY_JITTER": "full",
            "TRIPS_RETRY_BUDGET_MIN_PER_S": "10",
            "TRIPS_BREAKER_OPEN_S": "5",
            "TRIPS_PROBE_INTERVAL_S": "2",
        },
        "#1f77b4",
        breakers=True,
    ),
)


async def measure() -> list[dict[str, Any]]:
    return [await _measure(guard) for guard in GUARDS]


async def _measure(guard: Guard) -> dict[str, Any]:
    async with fresh_ground({**_SAME, **guard.settings}) as ground:
        traveller = ground.traveller
        await traveller.warm_up()
        if not guard.breakers:
            for partner in PARTNERS:
                await traveller.override_breaker(partner, "closed")
        async with asyncio.TaskGroup() as group:
            booking = group.create_task(_booked(traveller))
            outage = group.create_task(_outage(traveller))
        ended = [await traveller.until(trip_id, within_s=WAIT_S) for trip_id in booking.result()]
        at = [call.at for call in await traveller.received(SICK)]
    return {
        "guard": guard.name,
        "trips": len(ended),
        "confirmed": sum(trip["status"] == "confirmed" for trip in ended),
        **_seen(at, *outage.result()),
    }


async def _booked(traveller: Traveller) -> list[str]:
    """Book at a steady rate before, during and after the outage."""
    started, trips = time.monotonic(), []
    async with asyncio.TaskGroup() as group:
        for number in range(int((BEFORE_S + OUTAGE_S + AFTER_S) * TRIPS_PER_S)):
            await asyncio.sleep(started + number / TRIPS_PER_S - time.monotonic())
            order = small_order(SICK, when_partner_down="wait", deadline_s=DEADLINE_S)
            trips.append(group.create_task(traveller.book(order)))
    return [trip.result()["trip_id"] for trip in trips]


async def _outage(traveller: Traveller) -> tuple[float, float]:
    """When the partner went down and came back, in seconds since 1970."""
    await asyncio.sleep(BEFORE_S)
    await traveller.break_partner(SICK, down=True)
    down_at = time.time()
    await asyncio.sleep(OUTAGE_S)
    await traveller.mend_partner(SICK)
    return down_at, time.time()


def _seen(at: list[float], down_at: float, up_at: float) -> dict[str, Any]:
    steady_from = down_at - BEFORE_S / 2
    return {
        "calls_in_outage": between(at, down_at, up_at),
        "calls_soon_after": between(at, up_at, up_at + SOON_S),
        "steady_per_s": between(at, steady_from, down_at) / (down_at - steady_from),
        "steady_busiest": busiest(at, steady_from, down_at, WINDOW_S),
        "after_busiest": busiest(at, up_at, up_at + AFTER_S, WINDOW_S),
        "outage_s": up_at - down_at,
        "at_s": [round(moment - down_at, 3) for moment in at],
    }


def _of_unguarded(rows: list[dict[str, Any]], row: dict[str, Any]) -> float:
    return float(row["calls_in_outage"] / rows[0]["calls_in_outage"])


def table_of(rows: list[dict[str, Any]]) -> str:
    window = f"busiest {1000 * WINDOW_S:.0f} ms before"
    shown = (
        (
            row["guard"],
            row["calls_in_outage"],
            f"{_of_unguarded(rows, row):.1%}",
            row["calls_soon_after"],
            f"{row['steady_per_s']:.1f}",
            row["steady_busiest"],
            row["after_busiest"],
        )
        for row in rows
    )
    headings = ("guard", "calls in the outage", "of unguarded", f"in the {SOON_S:g} s after")
    return table((*headings, "steady, a second", window, "after"), shown)


def bars(rows: list[dict[str, Any]]) -> list[Bar]:
    """The last guard, which has everything, beside the first, which has nothing."""
    guarded = rows[-1]
    return [
        Bar("herd: calls in the outage, of unguarded", _of_unguarded(rows, guarded), MOST_OF_UNGUARDED),
        Bar("herd: busiest stretch after it", guarded["after_busiest"], 2 * guarded["steady_busiest"]),
    ]


def picture(rows: list[dict[str, Any]]) -> Figure:
    figure = Figure(figsize=(9, 1.7 * len(rows)), layout="constrained")
    panels = figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0]
    for panel, row, guard in zip(panels, rows, GUARDS, strict=True):
        a_second(panel, row["at_s"], range(-int(BEFORE_S), int(OUTAGE_S + AFTER_S)), guard.colour)
        panel.axvspan(0, OUTAGE_S, color="black", alpha=0.07)
        panel.axhline(row["steady_per_s"], color="black", linewidth=0.8, linestyle="dotted")
        panel.set_title(row["guard"], loc="left", fontsize=10)
        panel.set_ylim(bottom=0)
    panels[-1].set_xlabel("seconds since the partner went down")
    figure.supylabel("calls a second at the partner")
    return figure
