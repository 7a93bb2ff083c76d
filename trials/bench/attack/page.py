"""What the attacks show: bars, and a table of each part."""

from dataclasses import dataclass
from pathlib import Path

from trials.bench.attack import measure, neighbour
from trials.bench.attack.attacker import CLIENTS, HALF_OPEN, TOKENS_PER_S
from trials.bench.bench import Bench
from trials.report import Bar, Column, Results, bar_table, counted, figure_table, measured_on, table
from trials.statistics import percentile, spread

MOST_RATIO = 5.0
MOST_MB = 64.0
MOST_START_S = 2.0

TITLES = {
    "open": f"{CLIENTS} clients without a token on every open path",
    "head": "a head that never ends",
    "half_open": f"{HALF_OPEN} half-open connections",
    "tokens": f"{TOKENS_PER_S} wrong tokens a second",
    "all": "all of these at once",
}
READ = (
    Column("quiet, p50, ms", "quiet_p50_ms", 1),
    Column("p99", "quiet_p99_ms", 1),
    Column("attacked, p50", "attacked_p50_ms", 1),
    Column("p99", "attacked_p99_ms", 1),
    Column("front door's CPU, %", "door_cpu"),
    Column("attackers' CPU, %", "attackers_cpu"),
    Column("memory grown, MB", "memory_mb", 1),
)
WAIT = (
    Column("answered after, s", "answered_s", 2),
    Column("stream's first event, s", "stream_s", 2),
    Column("workflow started, s", "started_s", 2),
    Column("first hold, s", "held_s", 2),
    Column("still owed to the large tenant", "owed"),
)


@dataclass(frozen=True)
class Plan:
    """Rounds of each attack, and the seconds of their halves; the backlog, and the neighbour's trips."""

    rounds: int = 5
    seconds: float = 6.0
    backlog: int = 1000
    trips: int = 10


QUICK = Plan(rounds=1, seconds=2.0, backlog=100, trips=3)


async def _reading(plan: Plan) -> Results:
    return await measure.measure(plan.rounds, plan.seconds)


async def _neighbour(plan: Plan) -> Results:
    return await neighbour.measure(plan.backlog, plan.trips)


def ratio(attack: Results) -> float:
    """The p99 of all attacked reads beside that of all quiet ones."""
    return percentile(attack["attacked_ms"], 0.99) / percentile(attack["quiet_ms"], 0.99)


def bars(results: Results) -> list[Bar]:
    found = []
    if part := results.get("reading"):
        attacks = part["attacks"]
        found = [
            Bar(f"{TITLES[name]}: a read's p99, beside its quiet one", ratio(attack), MOST_RATIO)
            for name, attack in attacks.items()
        ]
        grown = max(figures["memory_mb"] for attack in attacks.values() for figures in attack["rounds"])
        found.append(Bar("the front door's memory grows by, MB", grown, MOST_MB))
    if part := results.get("neighbour"):
        slowest = max(wait["started_s"] for wait in part["waits"])
        found.append(Bar("a neighbour's trip starts after, s", slowest, MOST_START_S))
    return found


def tables(results: Results) -> dict[str, str]:
    about = list(results.values())[-1]["about"]
    run = f"{measured_on(about)} Load average at the start: {about['load']:.1f}."
    found = {"run": run, "bars": bar_table(bars(results))}
    if part := results.get("reading"):
        attacks = part["attacks"]
        rows = {TITLES[name]: spread(attack["rounds"]) for name, attack in attacks.items()}
        found["reading"] = figure_table(rows, READ)
        seen = ((TITLES[name], counted(attack["seen"])) for name, attack in attacks.items())
        found["attackers"] = table(("", "what the attackers did and were answered"), seen)
    if part := results.get("neighbour"):
        waits = {f"{number}.": wait for number, wait in enumerate(part["waits"], 1)}
        had = f"The large tenant: {part['backlog']:,} trips owed, {part['streams']:,} streams open."
        found["neighbour"] = f"{had}\n\n{figure_table(waits, WAIT, 'trip')}"
    return found


ATTACK = Bench(
    "attack",
    "hostile clients at the front door, and a large tenant beside a small one: about eight minutes",
    Path("docs/attack.md"),
    Plan(),
    QUICK,
    {"reading": _reading, "neighbour": _neighbour},
    tables,
    bars,
)
