"""CPU seconds, by process and by whose work it was."""

import asyncio
import os
from collections.abc import Awaitable, Iterator
from pathlib import Path

import psutil

from partners.catalogue import PARTNERS as CATALOGUE
from trials.load import Load
from trials.statistics import Figures
from trials.world import World

WORKER, API, TEMPORAL, POSTGRES = "worker", "api", "temporal", "postgres"
PARTNERS, ENGINES, DRIVER, OTHERS = "partners", "engines", "driver", "others"
GROUPS = (TEMPORAL, WORKER, API, POSTGRES, PARTNERS, ENGINES, DRIVER, OTHERS)

SAGA = (TEMPORAL, "worker-", API)
"""The beginnings of the names of this project's own processes."""

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
    Temporal and the front door; those of other contestants count as `others`. A PostgreSQL process that
    serves a partner's role counts as that partner's engine. Blocks: it reads files.
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
    figures["cpu_ms_engine"] = sum(figures[f"cpu_ms_{group}"] for group in (TEMPORAL, WORKER, API))
    figures["cpu_ms_own"] = figures["cpu_ms_engine"] + figures[f"cpu_ms_{POSTGRES}"]
    return figures


def _group(name: str, own: tuple[str, ...]) -> str:
    if not name.startswith(own):
        return _GROUP_OF.get(name, OTHERS)
    return name if name in (TEMPORAL, API) else WORKER


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
