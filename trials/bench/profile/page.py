"""Profiles worker, front door, Temporal and PostgreSQL while trips are booked, and shows what each does."""

import asyncio
import os
import re
import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stack.parts import Part
from trials import cpu
from trials.bench.bench import Bench
from trials.bench.contest.contestants import SETTINGS
from trials.bench.profile.kinds import API, WORKER, shares
from trials.bench.profile.sampled import read
from trials.load import WARM_UP_IN_FLIGHT, WARM_UP_TRIPS, Booked, Load, count
from trials.orders import bench_order
from trials.polling import until
from trials.report import Column, Results, figure_table, measured_on, table
from trials.statistics import Figures
from trials.world import Ground, Stage, fresh_ground, running_module

WAIT_S = 60
WRITTEN_WITHIN_S = 10.0
OFTEN = 0.5
"""So many a trip of a server's operation are shown."""

SAMPLED = {"worker-1": ("worker", WORKER), "api": ("api", API)}
CARDS = {"confirmed": "tok_visa", "failed": "tok_declined"}
_OPERATION = re.compile(
    r"^(service|persistence|visibility_persistence)_requests\{([^}]*)\} (\S+)$", re.MULTILINE
)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Plan:
    trips: int = 400
    in_flight: int = 10


QUICK = Plan(trips=40, in_flight=5)


async def profile(plan: Plan) -> Results:
    async with fresh_ground(SETTINGS, arrange=_sampled) as ground:
        found = {status: await _profiled(ground, plan, status) for status in CARDS}
    return found | {"wrong": [trip for one in found.values() for trip in one.pop("wrong")]}


def _sampled(stage: Stage, parts: list[Part]) -> list[Part]:
    return [_with_sampler(stage, part) if part.name in SAMPLED else part for part in parts]


def _with_sampler(stage: Stage, part: Part) -> Part:
    file = str(_file(stage.data_dir, part.name))
    return running_module(
        replace(part), "trials.bench.profile.sampled", file, *(str(word) for word in part.command[1:])
    )


def _file(data_dir: Path, name: str) -> Path:
    return data_dir / f"{name}.stacks"


async def _profiled(ground: Ground, plan: Plan, status: str) -> Results:
    async def book() -> Booked:
        trip = await ground.traveller.book(bench_order(card_token=CARDS[status]), WAIT_S)
        return Booked(trip["trip_id"], trip["status"])

    await count(book, Load(status), WARM_UP_TRIPS, WARM_UP_IN_FLIGHT)
    load = Load(status)
    before = await _operations(ground)
    _toggle(ground)
    figures = await cpu.metered(ground.world, cpu.SAGA, load, count(book, load, plan.trips, plan.in_flight))
    _toggle(ground)
    after = await _operations(ground)
    done = {name: (times - before[name]) / max(1, len(load.trips)) for name, times in after.items()}
    return {"cpu": figures, "work": await _work(ground, figures), "operations": done, "wrong": load.wrong}


def _toggle(ground: Ground) -> None:
    for name in SAMPLED:
        os.kill(ground.world.pid(name), signal.SIGUSR1)


async def _work(ground: Ground, figures: Figures) -> Results:
    """Milliseconds a trip by kind of work."""
    found: Results = {}
    for name, (group, kinds) in SAMPLED.items():
        file = _file(ground.world.data_dir, name)

        async def is_written(file: Path = file) -> bool:
            return await asyncio.to_thread(file.exists)

        await until(is_written, WRITTEN_WITHIN_S)
        whole = figures[f"cpu_ms_{group}"]
        found[group] = {kind: share * whole for kind, share in shares(read(file), kinds).items()}
        file.unlink()
    return found


async def _operations(ground: Ground) -> Counter[str]:
    """How often each of Temporal's services and stores was asked for what, since the server started."""
    url = f"http://127.0.0.1:{ground.world.ports.temporal_metrics_port}/metrics"
    async with ground.http.get(url) as answer:
        text = await answer.text()
    found: Counter[str] = Counter()
    for kind, labels, value in _OPERATION.findall(text):
        names = dict(_LABEL.findall(labels))
        place = names.get("service_name", "") if kind == "service" else kind.replace("_", " ")
        found[f"{place}: {names.get('operation')}"] += round(float(value))
    return found


CPU = tuple(
    Column(name, f"cpu_ms_{group}", 1)
    for group, name in {
        cpu.TEMPORAL: "Temporal",
        cpu.WORKER: "worker",
        cpu.API: "front door",
        cpu.POSTGRES: "PostgreSQL",
        "own": "together",
    }.items()
)
STATUSES = tuple(Column(status, status, 2) for status in CARDS)


def tables(results: Results) -> dict[str, str]:
    found = results["profile"]
    about = found["about"]
    both = {status: found[status] for status in CARDS}
    return {
        "run": f"{measured_on(about)} {about['trips']} trips of each kind. The machine's load average of the "
        f"last minute when it began: {about['load']:.1f}.",
        "cpu": figure_table({status: one["cpu"] for status, one in both.items()}, CPU, "trips"),
        **{
            group: figure_table(
                _side_by_side({status: one["work"][group] for status, one in both.items()}), STATUSES
            )
            for group, _ in SAMPLED.values()
        },
        "temporal": _often(both),
    }


def _side_by_side(found: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    names = sorted(found["confirmed"], key=lambda name: -found["confirmed"][name])
    return {name: {status: found[status].get(name, 0.0) for status in found} for name in names}


def _often(both: Mapping[str, Results]) -> str:
    rows = _side_by_side({status: one["operations"] for status, one in both.items()})
    shown = {name: row for name, row in rows.items() if row["confirmed"] >= OFTEN}
    return table(
        ("operation", *CARDS), ((name, *(f"{row[s]:.1f}" for s in CARDS)) for name, row in shown.items())
    )


PROFILE = Bench(
    "profile",
    "where the CPU time of a trip goes, by process and by kind of work",
    Path("docs/profile.md"),
    Plan(),
    QUICK,
    {"profile": profile},
    tables,
)
