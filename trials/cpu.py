"""CPU seconds, by process and by whose work it was."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from partners.catalogue import PARTNERS as CATALOGUE
from trials.load import Load
from trials.statistics import Figures
from trials.world import World

WORKER, API, TEMPORAL, NATS, RESTATE, POSTGRES = "worker", "api", "temporal", "nats", "restate", "postgres"
PARTNERS, ENGINES, DRIVER, OTHERS = "partners", "engines", "driver", "others"
GROUPS = (TEMPORAL, NATS, RESTATE, WORKER, API, POSTGRES, PARTNERS, ENGINES, DRIVER, OTHERS)

SAGA = (TEMPORAL, "worker-", API)
"""The beginnings of the names of the processes that carry an orchestrated trip."""

CHOREOGRAPHY = (NATS, "trips", API)
"""The beginnings of the names of the processes that carry a choreographed trip, its partners apart."""

_SERVERS = (TEMPORAL, NATS, RESTATE)

_GROUP_OF: dict[str, str] = {
    **{partner.engine: ENGINES for partner in CATALOGUE},
    **{partner.name: PARTNERS for partner in CATALOGUE},
    "postgres": POSTGRES,
}
_PARTNER_ROLES = tuple(partner.name for partner in CATALOGUE if partner.engine == "postgres")

Used = dict[tuple[str, int], float]
"""CPU seconds by group and process id."""


def used(run_dir: Path, own: tuple[str, ...]) -> Used:
    """What each process of the system, and this one, has used so far.

    `own` are the beginnings of the names of the processes that are measured. They count as `worker`, except
    the servers and the front door; those of other contestants count as `others`. A PostgreSQL
    process that serves a partner's role counts as that partner's engine. Blocks: it reads files.
    """
    found: Used = {(DRIVER, os.getpid()): _seconds(psutil.Process())}
    for pid_file in run_dir.glob("*.pid"):
        group = _group(pid_file.stem, own)
        for process in _family(pid_file):
            try:
                found[_engine_of_partner(process) or group, process.pid] = _seconds(process)
            except psutil.NoSuchProcess:
                continue
    return found


def between(before: Used, after: Used) -> dict[str, float]:
    """CPU seconds by group from one look to the next."""
    spent = dict.fromkeys(GROUPS, 0.0)
    for (group, pid), seconds in after.items():
        spent[group] += seconds - before.get((group, pid), 0.0)
    return spent


async def metered(world: World, own: tuple[str, ...], load: Load, work: Awaitable[None]) -> Figures:
    """The CPU that `work`, which fills `load`, cost a trip, in milliseconds by group."""
    before = await asyncio.to_thread(used, world.run_dir, own)
    await work
    after = await asyncio.to_thread(used, world.run_dir, own)
    per_trip = 1000 / max(1, len(load.trips))
    figures = {f"cpu_ms_{group}": per_trip * seconds for group, seconds in between(before, after).items()}
    figures["cpu_ms_engine"] = sum(figures[f"cpu_ms_{group}"] for group in (*_SERVERS, WORKER, API))
    figures["cpu_ms_own"] = figures["cpu_ms_engine"] + figures[f"cpu_ms_{POSTGRES}"]
    figures["cpu_ms_all"] = sum(figures[f"cpu_ms_{group}"] for group in ("own", PARTNERS, ENGINES))
    return figures


class Busy(NamedTuple):
    """CPU seconds so far: of this process and its children, and of all processes of the machine."""

    own: float
    machine: float

    def since(self, before: "Busy") -> "Busy":
        """What was used between two looks."""
        return Busy(self.own - before.own, self.machine - before.machine)


def busy() -> Busy:
    """Look once. A child that has ended is not counted any more. Blocks: it reads files."""
    own = 0.0
    for process in (this := psutil.Process(), *this.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            own += _seconds(process)
    machine = psutil.cpu_times()
    return Busy(own, machine.user + machine.nice + machine.system + machine.irq + machine.softirq)


def _group(name: str, own: tuple[str, ...]) -> str:
    if not name.startswith(own):
        return _GROUP_OF.get(name, OTHERS)
    return name if name in (*_SERVERS, API) else WORKER


def _family(pid_file: Path) -> Iterator[psutil.Process]:
    try:
        process = psutil.Process(int(pid_file.read_text()))
        yield process
        yield from process.children(recursive=True)
    except (OSError, ValueError, psutil.NoSuchProcess):
        return


def _engine_of_partner(process: psutil.Process) -> str | None:
    title = " ".join(process.cmdline())
    return ENGINES if title.startswith(tuple(f"postgres: {role} " for role in _PARTNER_ROLES)) else None


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
