"""An authenticated read, quiet and attacked in pairs, and the front door's memory meanwhile."""

import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp
import psutil

from serving.beside import beside
from stack.system import ROOT
from trials.bench.attack.attacker import KINDS, OPEN_PATHS
from trials.orders import bench_order
from trials.report import Results
from trials.statistics import Figures, percentiles
from trials.traveller import Traveller
from trials.world import QUIET, Ground, fresh_ground

READS_PER_S = 50
BEGIN_S = 1.5
"""From the start of the attackers until all of them attack."""

LOOK_EVERY_S = 0.25
STOP_S = 10.0
MB = 1024 * 1024

ATTACKS: Mapping[str, Sequence[str]] = {**{kind: (kind,) for kind in KINDS}, "all": tuple(KINDS)}


async def measure(rounds: int, seconds: float) -> Results:
    """By attack: the figures of each round, all latencies in ms, and what the attackers did."""
    found: dict[str, Results] = {attack: _nothing_yet() for attack in ATTACKS}
    async with fresh_ground(QUIET) as ground:
        read = await _read(ground)
        door = psutil.Process(ground.world.pid("api"))
        first = door.memory_info().rss
        for number in range(rounds):
            for attack, kinds in ATTACKS.items():
                one = found[attack]
                quiet = await read.for_a_while(seconds)
                attackers = Attackers(kinds, ground.world.ports.api_port)
                figures, attacked = await _attacked(attackers, door, read, seconds)
                figures["memory_mb"] = (figures["rss"] - first) / MB
                one["rounds"].append(figures | percentiles("quiet", quiet, "ms"))
                one["quiet_ms"] += quiet
                one["attacked_ms"] += attacked
                one["seen"] += attackers.seen
                print(f"{number + 1}. {attack}: {_line(one['rounds'][-1])}", flush=True)
    return {"attacks": found, "wrong": read.wrong}


def _line(figures: Figures) -> str:
    return ", ".join(f"{name} {figure:.1f}" for name, figure in figures.items() if name != "rss")


def _nothing_yet() -> Results:
    return {"rounds": [], "quiet_ms": [], "attacked_ms": [], "seen": Counter[str]()}


class Read:
    """A read at a steady rate. A latency counts from when the read was to be made."""

    def __init__(self, traveller: Traveller, path: str) -> None:
        self._traveller = traveller
        self._path = path
        self.wrong: list[str] = []

    async def for_a_while(self, seconds: float) -> list[float]:
        """Latencies in ms."""
        latencies_ms: list[float] = []

        async def one(at: float) -> None:
            try:
                status, answer = await self._traveller.call("GET", self._path)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                self.wrong.append(f"{type(error).__name__}: {error}")
                return
            if status != 200:
                self.wrong.append(f"{status}: {answer}")
            latencies_ms.append(1000 * (time.monotonic() - at))

        begin = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(int(seconds * READS_PER_S)):
                at = begin + number / READS_PER_S
                await asyncio.sleep(at - time.monotonic())
                group.create_task(one(at))
        return latencies_ms


async def _read(ground: Ground) -> Read:
    """The read of a trip, made for a while; every open path was asked for once, too."""
    for path in OPEN_PATHS:
        async with ground.http.get(f"{ground.world.api}{path}") as answer:
            await answer.read()
    trip = await ground.traveller.book(bench_order(), wait=30)
    read = Read(ground.traveller, f"/trips/{trip['trip_id']}")
    await read.for_a_while(BEGIN_S)
    return read


@dataclass
class Attackers:
    """Processes that attack the front door at `port`, one of each kind. They tell `seen` at their end."""

    kinds: Sequence[str]
    port: int
    seen: Counter[str] = field(default_factory=Counter)
    _processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def attacking(self) -> AsyncIterator[None]:
        try:
            for kind in self.kinds:
                command = (sys.executable, "-m", "trials.bench.attack.attacker", kind, str(self.port))
                self._processes.append(
                    await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
                )
            await asyncio.sleep(BEGIN_S)
            yield
        finally:
            for process in self._processes:
                process.terminate()
            for kind, process in zip(self.kinds, self._processes, strict=False):
                told, _ = await asyncio.wait_for(process.communicate(), STOP_S)
                self.seen.update({f"{kind} {name}": count for name, count in json.loads(told).items()})

    def cpu_s(self) -> float:
        """CPU seconds until now."""
        return sum(_cpu_s(psutil.Process(process.pid)) for process in self._processes)


async def _attacked(
    attackers: Attackers, door: psutil.Process, read: Read, seconds: float
) -> tuple[Figures, list[float]]:
    async with attackers.attacking(), _memory(door) as rss:
        began, door_s, attackers_s = time.monotonic(), _cpu_s(door), attackers.cpu_s()
        latencies_ms = await read.for_a_while(seconds)
        took_s = time.monotonic() - began
        return {
            **percentiles("attacked", latencies_ms, "ms"),
            "door_cpu": 100 * (_cpu_s(door) - door_s) / took_s,
            "attackers_cpu": 100 * (attackers.cpu_s() - attackers_s) / took_s,
            "rss": max(rss),
        }, latencies_ms


@contextlib.asynccontextmanager
async def _memory(process: psutil.Process) -> AsyncIterator[list[int]]:
    """The process's resident memory, looked at while the context is open."""
    rss = [process.memory_info().rss]

    async def look() -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            rss.append(process.memory_info().rss)

    async with beside(look()):
        yield rss


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
