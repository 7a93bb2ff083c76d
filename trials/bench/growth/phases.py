"""Phases of a constant number of trips in flight: of one system, of several in turn, of two side by side."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from trials import cpu
from trials.load import WARM_UP_IN_FLIGHT, WARM_UP_TRIPS, Booked, BookOne, Load, closed, count, throughput
from trials.orders import STAYS, Json, bench_order
from trials.report import Results
from trials.statistics import Figures, percentile
from trials.traveller import FINAL
from trials.world import Ground
from trip.order import MAX_DEADLINE_S

WAIT_S = 60
ASK_AGAIN_S = 1.0
TRIP_LIMIT_S = 900.0
WARM_SHARE = 0.25

Phase = tuple[dict[str, Any], list[str]]
"""Figures, with `latencies_ms` of the trips after the first quarter; and the trips that went wrong."""


@dataclass(frozen=True)
class Rounds:
    """`in_flight` counts at each system, and a phase lasts `seconds`."""

    rounds: int
    in_flight: int
    seconds: float


def patient_order() -> Json:
    return bench_order(deadline_s=MAX_DEADLINE_S)


def short_order() -> Json:
    """The same with one stay only: a long run has more of these in the same time."""
    others: Json = dict.fromkeys(STAYS[:-1])
    return bench_order(**others, deadline_s=MAX_DEADLINE_S)


def booking(ground: Ground, order: Callable[[], Json] = patient_order) -> BookOne:

    async def book() -> Booked:
        body, key = order(), str(uuid4())
        trip = await ground.traveller.book(body, WAIT_S, key)
        while trip["status"] not in FINAL:
            await asyncio.sleep(ASK_AGAIN_S)
            trip = await ground.traveller.book(body, WAIT_S, key)
        return Booked(trip["trip_id"], trip["status"])

    return book


async def warm_up(ground: Ground) -> None:
    """Book some trips that do not count. Raises RuntimeError if one is not confirmed."""
    load = Load()
    await count(booking(ground), load, WARM_UP_TRIPS, WARM_UP_IN_FLIGHT)
    if load.wrong:
        raise RuntimeError(f"a trip of the warm-up went wrong: {load.wrong[0]}")


async def phase(ground: Ground, in_flight: int, seconds: float) -> Phase:
    """One phase. Raises RuntimeError if no trip is confirmed."""
    load, since = Load(limit_s=TRIP_LIMIT_S), time.monotonic() + WARM_SHARE * seconds
    figures = await _metered(ground, load, closed(booking(ground), load, in_flight, seconds))
    rate = {"trips_per_s": throughput(load, in_flight, since)}
    return {**figures, **_timed(load, since), **rate}, load.wrong


async def side_by_side(grounds: tuple[Ground, Ground], plan: Rounds) -> list[Phase]:
    """A phase in which trips are booked in pairs, one at each system at the same moment.

    So whatever else the machine has to do slows down both alike. Raises RuntimeError if no trip is confirmed.
    """
    loads, begin = [Load(limit_s=TRIP_LIMIT_S) for _ in grounds], time.monotonic()
    lines = [(booking(ground), load) for ground, load in zip(grounds, loads, strict=True)]
    spent: list[Figures] = []

    async def book_in_pairs() -> None:
        while (now := time.monotonic()) < begin + plan.seconds:
            await asyncio.gather(*(load.book(book, now) for book, load in lines))

    async def all_pairs() -> None:
        await asyncio.gather(*(book_in_pairs() for _ in range(plan.in_flight)))

    async def metered_at_the_second() -> None:
        spent.append(await _metered(grounds[1], loads[1], all_pairs()))

    spent.insert(0, await _metered(grounds[0], loads[0], metered_at_the_second()))
    since = begin + WARM_SHARE * plan.seconds
    return [
        ({**figures, **_timed(load, since)}, load.wrong) for figures, load in zip(spent, loads, strict=True)
    ]


async def _metered(ground: Ground, load: Load, work: Awaitable[None]) -> Figures:
    return await cpu.metered(ground.world, cpu.SAGA, load, work)


def _timed(load: Load, since: float) -> dict[str, Any]:
    latencies_ms = [1000 * latency for latency in load.since(since)]
    return {
        "trips": len(latencies_ms),
        "p50_ms": percentile(latencies_ms, 0.5),
        "p99_ms": percentile(latencies_ms, 0.99),
        "latencies_ms": [round(one, 1) for one in latencies_ms],
    }


async def alternate(grounds: dict[str, Ground], plan: Rounds) -> Results:
    """`phases` of each system, round by round; every other round goes backwards."""
    found: Results = {"in_flight": plan.in_flight, "phases": {name: [] for name in grounds}, "wrong": []}
    for number in range(plan.rounds):
        for name in grounds if number % 2 == 0 else reversed(grounds):
            measured = await phase(grounds[name], plan.in_flight, plan.seconds)
            note(found, found["phases"][name], f"round {number + 1} {name}", *measured)
    return found


def note(found: Results, rows: list[Any], what: str, figures: dict[str, Any], wrong: list[str]) -> None:
    rows.append(figures)
    found["wrong"] += wrong
    shown = ("trips_per_s", "p50_ms", "p99_ms", "cpu_ms_own")
    values = ", ".join(f"{name} {figures[name]:.1f}" for name in shown if name in figures)
    print(f"{what:20} {values}", flush=True)
