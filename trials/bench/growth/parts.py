"""The parts of the measurement, each on fresh systems of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import psutil

from trials.bench.growth import burst
from trials.bench.growth.fill import fill_all
from trials.bench.growth.phases import (
    TRIP_LIMIT_S,
    Rounds,
    alternate,
    booking,
    note,
    phase,
    short_order,
    side_by_side,
    warm_up,
)
from trials.load import Load, count
from trials.report import Results
from trials.world import QUIET, fresh_ground

NONE_BEHIND, MANY_BEHIND = "none", "many"
PROCESSES = {"worker": "worker-1", "api": "api"}
MOST_SAMPLES = 500
LOOK_EVERY_S = 0.2

SATURATED = Rounds(rounds=3, in_flight=30, seconds=8.0)
BEHIND = Rounds(rounds=8, in_flight=2, seconds=15.0)


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    `ladder` has the seconds of the phase for each number of trips in flight. With `is_quick` the figures only
    show that the parts run.
    """

    ladder: tuple[tuple[int, float], ...] = ((1, 10.0), (10, 15.0), (100, 25.0), (1000, 40.0))
    finished: int = 100_000
    workers: tuple[int, ...] = (1, 2, 4)
    saturated: Rounds = SATURATED
    behind: Rounds = BEHIND
    burst: int = 5000
    trips: int = 1000
    memory_in_flight: int = 10
    is_quick: bool = False


QUICK = Plan(
    ladder=((1, 2.0), (10, 2.0)),
    finished=2000,
    workers=(1, 2),
    saturated=Rounds(rounds=1, in_flight=10, seconds=2.0),
    behind=Rounds(rounds=2, in_flight=4, seconds=2.0),
    burst=100,
    trips=100,
    is_quick=True,
)


async def _in_flight(plan: Plan) -> Results:
    found: Results = {"phases": {}, "wrong": []}
    async with fresh_ground(QUIET) as ground:
        await warm_up(ground)
        for in_flight, seconds in plan.ladder:
            rows = found["phases"].setdefault(str(in_flight), [])
            note(found, rows, f"in flight {in_flight}", *await phase(ground, in_flight, seconds))
    return found


async def _behind(plan: Plan) -> Results:
    """Two systems, one of them full: side by side for latency, in turn for throughput."""
    async with fresh_ground(QUIET) as empty, fresh_ground(QUIET) as full:
        await fill_all(full.world, plan.finished)
        grounds = {NONE_BEHIND: empty, MANY_BEHIND: full}
        for ground in grounds.values():
            await warm_up(ground)
        found = await alternate(grounds, plan.saturated)
        found |= {"finished": plan.finished, "side_by_side": {name: [] for name in grounds}}
        for number in range(plan.behind.rounds):
            both = await side_by_side((empty, full), plan.behind)
            for name, measured in zip(grounds, both, strict=True):
                note(found, found["side_by_side"][name], f"round {number + 1} {name}", *measured)
    return found


async def _workers(plan: Plan) -> Results:
    async with AsyncExitStack() as systems:
        grounds = {
            str(number): await systems.enter_async_context(fresh_ground(QUIET, workers=number))
            for number in plan.workers
        }
        for ground in grounds.values():
            await warm_up(ground)
        return await alternate(grounds, plan.saturated)


async def _memory(plan: Plan) -> Results:
    """Samples over a long run: the trips confirmed so far, and the resident kB of each of PROCESSES."""
    samples: list[list[int]] = []
    load, every = Load(limit_s=TRIP_LIMIT_S), max(1, plan.trips // MOST_SAMPLES)
    async with fresh_ground(QUIET) as ground:
        processes = [psutil.Process(ground.world.pid(name)) for name in PROCESSES.values()]
        work = count(booking(ground, short_order), load, plan.trips, plan.memory_in_flight)
        booked = asyncio.create_task(work)
        while not booked.done():
            if not samples or len(load.trips) >= samples[-1][0] + every:
                samples.append([len(load.trips), *(one.memory_info().rss // 1024 for one in processes)])
            await asyncio.wait([booked], timeout=LOOK_EVERY_S)
        await booked
    return {"trips": plan.trips, "in_flight": plan.memory_in_flight, "samples": samples, "wrong": load.wrong}


async def _burst(plan: Plan) -> Results:
    async with fresh_ground(QUIET) as ground:
        return await burst.measured(ground, plan.burst)


PARTS: dict[str, Callable[[Plan], Awaitable[Results]]] = {
    "in_flight": _in_flight,
    "behind": _behind,
    "workers": _workers,
    "memory": _memory,
    "burst": _burst,
}
