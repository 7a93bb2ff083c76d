"""The whole measurement: part after part, each on fresh systems of its own."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from trials.bench.contest.contest import machine
from trials.bench.contest.ground import Stage, fresh_ground
from trials.bench.growth import breaker_off, burst, memory, telemetry_off
from trials.bench.growth.fill import fill_all
from trials.bench.growth.phases import Rounds, alternate, phase, say, side_by_side, warm_up
from trials.bench.growth.stages import with_workers

NONE_BEHIND, MANY_BEHIND = "none", "many"

SATURATED = Rounds(rounds=3, in_flight=30, seconds=8.0)
BEHIND = Rounds(rounds=8, in_flight=2, seconds=15.0)
SWITCHED = Rounds(rounds=20, in_flight=5, seconds=7.0)

Results = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """How much is measured. `ladder` has the seconds of the phase for each number of trips in flight.

    `is_quick` says that the figures only show that the parts run.
    """

    ladder: tuple[tuple[int, float], ...] = ((1, 10.0), (10, 15.0), (100, 25.0), (1000, 40.0))
    finished: int = 100_000
    workers: tuple[int, ...] = (1, 2, 4)
    saturated: Rounds = SATURATED
    behind: Rounds = BEHIND
    switched: Rounds = SWITCHED
    burst: int = 5000
    trips: int = 1000
    is_quick: bool = False


QUICK = Plan(
    ladder=((1, 2.0), (10, 2.0)),
    finished=2000,
    workers=(1, 2),
    saturated=Rounds(rounds=1, in_flight=10, seconds=2.0),
    behind=Rounds(rounds=2, in_flight=4, seconds=2.0),
    switched=Rounds(rounds=4, in_flight=4, seconds=2.0),
    burst=100,
    trips=100,
    is_quick=True,
)


async def measured(stop: asyncio.Event, plan: Plan, part: str, known: Results) -> Results:
    """`known`, with the figures of a part of PARTS, and the machine's load average when it began."""
    load = os.getloadavg()[0]
    print(f"\n{part}\n", flush=True)
    return known | {
        "about": machine(),
        part: {"load": load, "is_quick": plan.is_quick} | await PARTS[part](stop, plan),
    }


async def _in_flight(stop: asyncio.Event, plan: Plan) -> Results:
    found: Results = {"phases": {}, "wrong": []}
    async with fresh_ground(stop, Stage) as ground:
        await warm_up(ground)
        for in_flight, seconds in plan.ladder:
            figures, wrong = await phase(ground, in_flight, seconds)
            found["phases"][str(in_flight)] = [figures]
            found["wrong"] += wrong
            say("in flight", str(in_flight), figures)
    return found


async def _behind(stop: asyncio.Event, plan: Plan) -> Results:
    """Two systems, one of them full: side by side for latency, in turn for throughput."""
    async with fresh_ground(stop, Stage) as empty, fresh_ground(stop, Stage) as full:
        await fill_all(full, plan.finished)
        grounds = {NONE_BEHIND: empty, MANY_BEHIND: full}
        for ground in grounds.values():
            await warm_up(ground)
        found = await alternate(grounds, plan.saturated)
        found |= {"finished": plan.finished, "side_by_side": {name: [] for name in grounds}}
        for number in range(plan.behind.rounds):
            phases, wrong = await side_by_side((empty, full), plan.behind)
            found["wrong"] += wrong
            for name, figures in zip(grounds, phases, strict=True):
                found["side_by_side"][name].append(figures)
                say(f"round {number + 1}", name, figures)
    return found


async def _workers(stop: asyncio.Event, plan: Plan) -> Results:
    """Systems of different numbers of workers, in turn."""
    async with AsyncExitStack() as systems:
        grounds = {
            str(number): await systems.enter_async_context(fresh_ground(stop, with_workers(number)))
            for number in plan.workers
        }
        for ground in grounds.values():
            await warm_up(ground)
        return await alternate(grounds, plan.saturated)


async def _breaker(stop: asyncio.Event, plan: Plan) -> Results:
    return await breaker_off.measured(stop, plan.switched)


async def _telemetry(stop: asyncio.Event, plan: Plan) -> Results:
    return await telemetry_off.measured(stop, plan.switched)


async def _memory(stop: asyncio.Event, plan: Plan) -> Results:
    return await memory.measured(stop, plan.trips)


async def _burst(stop: asyncio.Event, plan: Plan) -> Results:
    return await burst.measured(stop, plan.burst)


PARTS: dict[str, Callable[[asyncio.Event, Plan], Coroutine[Any, Any, Results]]] = {
    "in_flight": _in_flight,
    "behind": _behind,
    "workers": _workers,
    "breaker": _breaker,
    "telemetry": _telemetry,
    "memory": _memory,
    "burst": _burst,
}
