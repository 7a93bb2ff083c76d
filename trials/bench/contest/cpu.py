"""CPU seconds, by process and by whose work it was."""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil

from trip.partner import Partner

WORKER, API, TEMPORAL, POSTGRES = "worker", "api", "temporal", "postgres"
PARTNERS, ENGINES, DRIVER, OTHERS = "partners", "engines", "driver", "others"
GROUPS = (TEMPORAL, WORKER, API, POSTGRES, PARTNERS, ENGINES, DRIVER, OTHERS)

_GROUP_OF = {
    "postgres": POSTGRES,
    "mongo": ENGINES,
    "redis": ENGINES,
    "falkordb": ENGINES,
    **{partner.value: PARTNERS for partner in Partner},
}
_PARTNER_ROLES = ("tour", "payment")

Used = dict[tuple[str, int], float]
"""CPU seconds by group and process id."""


def used(run_dir: Path, own: tuple[str, ...]) -> Used:
    """What each process of the system has used so far, and this one.

    `own` are the beginnings of the names of the contestant's processes: `worker`, but for Temporal and the
    front door. Those of the contestants whose turn it is not are `others`. A PostgreSQL server process of a
    partner's role counts as that partner's engine. Reads files of the system, and so blocks.
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
