"""Phases of a constant number of trips in flight: of one system, of several in turn, of two side by side."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from trials.bench.contest.contest import WARM_UP_IN_FLIGHT, WARM_UP_TRIPS
from trials.bench.contest.figures import Figures, percentile
from trials.bench.contest.ground import Ground
from trials.bench.contest.load import BookOne, Load, closed, count
from trials.bench.contest.measure import cpu_metered
from trials.bench.growth.booking import booking, turn

TRIP_LIMIT_S = 900.0
WARM_SHARE = 0.25

Phase = dict[str, Any]
"""Figures by name, and `latencies_ms` of the trips that began when the first quarter was over."""

Pair = tuple[Ground, Ground]

Switch = Callable[[Ground, bool], Awaitable[None]]


@dataclass(frozen=True)
class Rounds:
    """How many rounds, how many trips are in flight at each system, and how many seconds a phase lasts."""

    rounds: int
    in_flight: int
    seconds: float


def new_load() -> Load:
    """Trips that have to be confirmed."""
    return Load("confirmed", limit_s=TRIP_LIMIT_S)


async def warm_up(ground: Ground) -> None:
    """Book some trips that do not count. Raises RuntimeError where one is not confirmed."""
    load = new_load()
    await count(booking(ground), load, WARM_UP_TRIPS, WARM_UP_IN_FLIGHT)
    if load.wrong:
        raise RuntimeError(f"a trip that should warm the system up was not confirmed: {load.wrong[0]}")


async def phase(ground: Ground, in_flight: int, seconds: float) -> tuple[Phase, list[str]]:
    """The figures of one phase, and what was the matter with trips that went wrong.

    Trips a second are by Little's law. Raises RuntimeError where no trip is confirmed.
    """
    load, since = new_load(), time.monotonic() + WARM_SHARE * seconds
    work = closed(booking(ground), load, in_flight, seconds)
    figures: Phase = dict(await cpu_metered(turn(ground, seconds), load, work))
    figures |= _timed(load, since)
    figures["trips_per_s"] = 1000 * in_flight / fmean(figures["latencies_ms"])
    return figures, load.wrong


async def side_by_side(grounds: Pair, plan: Rounds) -> tuple[list[Phase], list[str]]:
    """A phase in which trips are booked in pairs, one at each system at the same moment.

    What else the machine has to do then slows down both alike. Returns the figures of each, and what went
    wrong. Raises RuntimeError where no trip is confirmed.
    """
    loads, begin = (new_load(), new_load()), time.monotonic()
    lines = [(booking(ground), load) for ground, load in zip(grounds, loads, strict=True)]
    work = _book_in_pairs(lines, plan.in_flight, until=begin + plan.seconds)
    spent: list[Figures] = []

    async def metered() -> None:
        spent.append(await cpu_metered(turn(grounds[1], plan.seconds), loads[1], work))

    spent.insert(0, await cpu_metered(turn(grounds[0], plan.seconds), loads[0], metered()))
    since = begin + WARM_SHARE * plan.seconds
    phases = [figures | _timed(load, since) for figures, load in zip(spent, loads, strict=True)]
    return phases, loads[0].wrong + loads[1].wrong


async def _book_in_pairs(lines: list[tuple[BookOne, Load]], pairs: int, until: float) -> None:
    async def pair_after_pair() -> None:
        while (now := time.monotonic()) < until:
            await asyncio.gather(*(load.book(book, now) for book, load in lines))

    async with asyncio.TaskGroup() as group:
        for _ in range(pairs):
            group.create_task(pair_after_pair())


def _timed(load: Load, since: float) -> Phase:
    """Latencies of the trips that began since then, or of all where none did."""
    if not load.trips:
        raise RuntimeError(f"no trip was confirmed: {load.wrong[:3]}")
    timed = zip(load.latencies_s, load.ended_at, strict=True)
    found = [1000 * latency for latency, ended in timed if ended - latency >= since]
    latencies_ms = found or [1000 * latency for latency in load.latencies_s]
    percentiles = {f"p{share}_ms": percentile(latencies_ms, share / 100) for share in (50, 99)}
    return {
        "trips": len(latencies_ms),
        **percentiles,
        "latencies_ms": [round(one, 1) for one in latencies_ms],
    }


async def alternate(grounds: dict[str, Ground], plan: Rounds) -> dict[str, Any]:
    """`phases` of each system, round by round, and what went `wrong`; every other round goes backwards."""
    phases: dict[str, list[Phase]] = {name: [] for name in grounds}
    wrong: list[str] = []
    for number in range(plan.rounds):
        for name in grounds if number % 2 == 0 else reversed(grounds):
            figures, amiss = await phase(grounds[name], plan.in_flight, plan.seconds)
            phases[name].append(figures)
            wrong += amiss
            say(f"round {number + 1}", name, figures)
    return {"in_flight": plan.in_flight, "phases": phases, "wrong": wrong}


async def exchanged(grounds: Pair, names: tuple[str, str], plan: Rounds, switch: Switch) -> dict[str, Any]:
    """`phases` of a system with something and one without it, by `names`, and what went `wrong`.

    The two run side by side and exchange it between rounds, so that what one system has over the other
    cancels out. `switch` puts it in or takes it out.
    """
    found: dict[str, Any] = {"in_flight": plan.in_flight, "phases": {name: [] for name in names}, "wrong": []}
    for ground in grounds:
        await warm_up(ground)
    for number in range(plan.rounds):
        sides = grounds if number % 2 == 0 else (grounds[1], grounds[0])
        for ground, is_in in zip(sides, (True, False), strict=True):
            await switch(ground, is_in)
        phases, wrong = await side_by_side(sides, plan)
        found["wrong"] += wrong
        for name, figures in zip(names, phases, strict=True):
            found["phases"][name].append(figures)
            say(f"round {number + 1}", name, figures)
    return found


def say(what: str, name: str, figures: Phase) -> None:
    """A line on the way."""
    shown = ("trips_per_s", "p50_ms", "p99_ms", "cpu_ms_own")
    values = ", ".join(f"{figure} {figures[figure]:.1f}" for figure in shown if figure in figures)
    print(f"{what:10} {name:16} {values}", flush=True)
