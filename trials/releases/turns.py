"""Builds take turns while trips are booked, and a worker is killed amid that; and what came of it."""

import asyncio
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from temporalio.client import WorkflowHistory

from builds.watch import FAULTS
from trials.cpu import Busy, busy
from trials.load import Booked, Load, at_rate
from trials.orders import bench_order
from trials.releases.fleet import Fleet, NotReleased, builds_of

ONE, TWO = "one", "two"
HOTEL = "hotel"
WAIT_S = 30
FINAL_WITHIN_S = 180.0
EIGHTHS = 8
LONGEST, AT_LEAST_S = 2, 60.0
"""The releases may take so many times what they are given, and so much more."""
HALF = 50.0


class Plan(NamedTuple):
    """Trips a second, for how many seconds, and how long the hotel takes to answer, in milliseconds.

    If it is slow, a trip takes several workflow tasks, between which it could come to another build.
    """

    per_s: float
    seconds: float
    latency_ms: int


@dataclass
class Turns:
    """What came of the trips.

    `accepted` trips may not be lost. `used` is the CPU while they were booked. `builds` has the builds that
    carried each trip on. `failed_tasks` tells of workflow tasks that could not follow their history or raised
    an error, and `taken_back` what a release said that went wrong.
    """

    load: Load = field(default_factory=lambda: Load(limit_s=WAIT_S + FINAL_WITHIN_S))
    accepted: list[str] = field(default_factory=list)
    took_s: float = 0.0
    used: Busy = field(default_factory=lambda: Busy(0.0, 0.0))
    killed_at: float = 0.0
    builds: dict[str, tuple[str, ...]] = field(default_factory=dict)
    failed_tasks: list[str] = field(default_factory=list)
    taken_back: list[str] = field(default_factory=list)

    def by_build(self) -> Counter[str]:
        """How many trips each build carried on. Builds that shared a trip stand together."""
        return Counter("+".join(builds) for builds in self.builds.values())

    def at_the_kill(self) -> Counter[str]:
        """The same of the trips that were under way when the worker was killed."""
        ends = zip(self.load.trips, self.load.latencies_s, self.load.ended_at, strict=True)
        met = [trip for trip, took_s, ended in ends if ended - took_s <= self.killed_at <= ended]
        return Counter("+".join(self.builds[trip]) for trip in met)

    def violations(self) -> list[str]:
        """A line for each thing that must not be."""
        found = self.by_build()
        return [
            *self.taken_back,
            *(f"not confirmed: {trip}" for trip in self.load.wrong),
            *self.failed_tasks,
            *(f"{found[build]} trips of {build}" for build in found if build not in (ONE, TWO)),
            *(f"no trip of {build}" for build in (ONE, TWO) if not found[build]),
        ]


@contextmanager
def three_workers(fleet: Fleet, changes: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Two of build ONE, of which the first is given, and one of TWO, whose workflows are in `changes`."""
    with fleet.worker(ONE) as first, fleet.worker(ONE), fleet.worker(TWO, changes):
        yield first


async def take_turns(fleet: Fleet, victim: "subprocess.Popen[bytes]", plan: Plan) -> Turns:
    """Book, release TWO, kill the victim amid that, go back to ONE, and read the history of each trip."""
    turns = Turns()
    await fleet.release(ONE)
    await fleet.traveller.break_partner(HOTEL, latency_ms=plan.latency_ms)
    try:
        await _under_load(fleet, victim, plan, turns)
    finally:
        await fleet.traveller.mend_partner(HOTEL)
    for trip_id in turns.accepted:
        history = await fleet.history(trip_id)
        turns.builds[trip_id] = builds_of(history)
        turns.failed_tasks += _failed_tasks(trip_id, history)
    return turns


async def _under_load(fleet: Fleet, victim: "subprocess.Popen[bytes]", plan: Plan, turns: Turns) -> None:
    """The trips go on until the releases are done, however long these take."""

    async def book() -> Booked:
        trip_id: str = (await fleet.traveller.book(bench_order(), wait=WAIT_S))["trip_id"]
        turns.accepted.append(trip_id)
        return Booked(trip_id, (await fleet.traveller.until(trip_id, within_s=FINAL_WITHIN_S))["status"])

    started, before = time.monotonic(), await asyncio.to_thread(busy)
    async with asyncio.TaskGroup() as group:
        releasing = group.create_task(_releases(fleet, plan.seconds / EIGHTHS, turns))
        group.create_task(_kill(victim, 3 / 2 * plan.seconds / EIGHTHS, turns))
        await at_rate(book, turns.load, plan.per_s, plan.seconds, lambda: not releasing.done())
        turns.took_s = time.monotonic() - started
        turns.used = (await asyncio.to_thread(busy)).since(before)


async def _releases(fleet: Fleet, eighth_s: float, turns: Turns) -> None:
    """Each build gets half of the trips for an eighth of the time, and then all."""
    limit_s = LONGEST * EIGHTHS * eighth_s + AT_LEAST_S
    try:
        async with asyncio.timeout(limit_s):
            await asyncio.sleep(eighth_s)
            await fleet.release(TWO, steps=(HALF,), seconds=eighth_s)
            await asyncio.sleep(eighth_s)
            await fleet.release(ONE, steps=(HALF,), seconds=eighth_s)
    except NotReleased as error:
        turns.taken_back.append(f"a build was taken back: {error}")
    except TimeoutError:
        turns.taken_back.append(f"the releases took longer than {limit_s:g} s")


async def _kill(victim: "subprocess.Popen[bytes]", after_s: float, turns: Turns) -> None:
    """While both builds get trips."""
    await asyncio.sleep(after_s)
    victim.kill()
    turns.killed_at = time.monotonic()


def _failed_tasks(trip_id: str, history: WorkflowHistory) -> list[str]:
    failures = [event.workflow_task_failed_event_attributes for event in history.events]
    return [f"{trip_id}: its workflow {FAULTS[one.cause]}" for one in failures if one.cause in FAULTS]
