"""What the contest shows: its bars, its tables, its pictures."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from trials import cpu
from trials.bench.bench import Bench
from trials.bench.contest import rounds
from trials.bench.contest.contestants import CHOREOGRAPHED, CONTESTANTS, ORCHESTRATED
from trials.bench.contest.failing import SCENARIOS
from trials.bench.drawing import BLUE, BROWN, GREEN, PALE, PALE_GREEN, PURPLE, RED, Figure, panels, stacked
from trials.report import Bar, Column, Results, bar_table, figure_table, measured_on
from trials.statistics import Figures, Spread, spread

SPEED = (
    Column("in flight", "in_flight"),
    Column("trips a second", "trips_per_s", 1),
    Column("its own CPU alone would allow", "allowed_per_s", 1),
    Column("alone, p50", "alone_p50_ms"),
    Column("at 30%, p50", "low_p50_ms"),
    Column("p99", "low_p99_ms"),
    Column("at 80%, p50", "high_p50_ms"),
    Column("p99", "high_p99_ms"),
)
CPU = (
    *(Column(group, f"cpu_ms_{group}", 1) for group in cpu.GROUPS if group != cpu.OTHERS),
    Column("server, worker, API", "cpu_ms_engine", 1),
    Column("and PostgreSQL", "cpu_ms_own", 1),
    Column("all, driver apart", "cpu_ms_all", 1),
)
SERVER = (
    Column("events", "events", 1),
    Column("history, bytes", "history_bytes"),
    Column("calls to the server", "server_calls", 1),
    Column("billable actions", "actions", 1),
)
FAILING = (
    Column("told after, p50, ms", "all_p50_ms"),
    Column("at most", "all_max_ms"),
    Column("calls to partners", "calls", 1),
    Column("CPU, ms", "cpu_ms_own", 1),
    Column("events", "events", 1),
    Column("billable actions", "actions", 1),
)

_COLOURS = {
    cpu.TEMPORAL: BLUE,
    cpu.NATS: BROWN,
    cpu.RESTATE: RED,
    cpu.WORKER: GREEN,
    cpu.API: PALE_GREEN,
    cpu.POSTGRES: PURPLE,
    cpu.PARTNERS: PALE,
    cpu.ENGINES: "#e3e3e3",
}
_LOADS = {
    "alone": ("one at a time", PALE_GREEN),
    "low": ("at 30%", GREEN),
    "high": ("at 80% of saturation", BLUE),
}
_BAR = 0.26
_NONE = Spread(0, 0, 0)

Spreads = dict[str, dict[str, Spread]]


class Beside(NamedTuple):
    """A bar of one contestant's figure beside another's."""

    text: str
    ours: str
    theirs: str
    figure: str
    limit: float
    at_least: bool = False


_RATIOS = (
    Beside(
        "trips a second, beside the textbook's", ORCHESTRATED, "textbook", "trips_per_s", 3, at_least=True
    ),
    Beside("trips a second, beside DBOS's", ORCHESTRATED, "dbos", "trips_per_s", 1, at_least=True),
    Beside("CPU a trip, beside the textbook's", ORCHESTRATED, "textbook", "cpu_ms_own", 1 / 3),
    Beside(
        "Temporal, worker and API, beside the bare workflow's", ORCHESTRATED, "bare", "cpu_ms_engine", 0.9
    ),
    Beside(
        "choreographed, its own CPU, beside the orchestrated", CHOREOGRAPHED, ORCHESTRATED, "cpu_ms_own", 0.5
    ),
    Beside(
        "choreographed, all CPU, beside the orchestrated", CHOREOGRAPHED, ORCHESTRATED, "cpu_ms_all", 0.75
    ),
    Beside(
        "choreographed, trips a second, beside the orchestrated",
        *(CHOREOGRAPHED, ORCHESTRATED, "trips_per_s", 1.3),
        at_least=True,
    ),
    Beside(
        "choreographed, p50 alone, beside the orchestrated", CHOREOGRAPHED, ORCHESTRATED, "alone_p50_ms", 1
    ),
    Beside("choreographed, its own CPU, beside Restate's", CHOREOGRAPHED, "restate", "cpu_ms_own", 1.3),
    Beside(
        "choreographed, trips a second, beside Restate's",
        *(CHOREOGRAPHED, "restate", "trips_per_s", 0.9),
        at_least=True,
    ),
)


def bars(results: Results) -> list[Bar]:
    """A ratio is of the same round, and the median of all rounds; actions are rounded to a tenth."""
    found = results["contest"]
    rounds = found["rounds"]
    declined = found["failing"]["declined"][ORCHESTRATED]
    ratios = [
        Bar(one.text, _ratio(rounds[one.ours], rounds[one.theirs], one.figure), one.limit, one.at_least)
        for one in _RATIOS
        if one.theirs in rounds
    ]
    return [
        *ratios,
        Bar("billable actions of a confirmed trip", round(_median(rounds[ORCHESTRATED], "actions"), 1), 4),
        Bar("billable actions of a declined trip", round(_median(declined, "actions"), 1), 12),
        Bar(
            "one trip at a time, p50 in ms; 1.5 times the ten calls' own and 60 ms",
            _median(rounds[ORCHESTRATED], "alone_p50_ms"),
            1.5 * _median(rounds["plain"], "alone_p50_ms") + 60,
        ),
    ]


def _median(rounds: Sequence[Figures], name: str) -> float:
    return median(figures[name] for figures in rounds)


def _ratio(ours: Sequence[Figures], theirs: Sequence[Figures], name: str) -> float:
    return median(our[name] / their[name] for our, their in zip(ours, theirs, strict=True))


def tables(results: Results) -> dict[str, str]:
    found = results["contest"]
    spreads, about = _spreads(found["rounds"]), found["about"]
    on_server = {title: figures for title, figures in spreads.items() if "actions" in figures}
    left_out = "".join(f" Left out: {title} ({why})." for title, why in found["left_out"].items())
    return {
        "run": f"{measured_on(about)} Rounds: {about['rounds']}, and {about['failing_rounds']} of failing "
        f"trips; a phase lasts {about['seconds']:g} s. Trips that did not end as they had to: "
        f"{len(found['wrong'])}.{left_out}",
        "bars": bar_table(bars(results)),
        "speed": figure_table(spreads, SPEED),
        "cpu": figure_table(spreads, CPU),
        "server": figure_table(on_server, SERVER),
        **{
            f"failing-{scenario.name}": figure_table(_spreads(found["failing"][scenario.name]), FAILING)
            for scenario in SCENARIOS
        },
    }


def _spreads(figures: dict[str, list[Figures]]) -> Spreads:
    return {one.title: spread(figures[one.name]) for one in CONTESTANTS if one.name in figures}


def pictures(results: Results) -> dict[str, Figure]:
    found = dict(reversed(_spreads(results["contest"]["rounds"]).items()))
    return {"contest-cpu": _cpu(found), "contest-speed": _speed(found)}


def _cpu(found: Spreads) -> Figure:
    figure, (panel,) = panels(3.2)
    layers = {
        group: (colour, [figures[f"cpu_ms_{group}"].median for figures in found.values()])
        for group, colour in _COLOURS.items()
    }
    stacked(panel, list(found), layers)
    panel.set(title="CPU a trip, at saturation", xlabel="milliseconds")
    panel.legend(loc="lower right")
    return figure


def _speed(found: Spreads) -> Figure:
    figure, (rate, latency) = panels(4, 1, 2, sharey=True)
    rates = [figures["trips_per_s"] for figures in found.values()]
    reach = list(zip(*((one.median - one.low, one.high - one.median) for one in rates), strict=True))
    rate.barh(range(len(found)), [one.median for one in rates], xerr=reach, color=BLUE, height=0.6)
    rate.set(title="Trips a second at saturation", xlabel="trips a second")
    rate.set_yticks(range(len(found)), list(found))
    for row, (load, (label, colour)) in enumerate(_LOADS.items()):
        at = [place + _BAR * (1 - row) for place in range(len(found))]
        middles, slowest = (
            [figures.get(f"{load}_{share}_ms", _NONE).median for figures in found.values()]
            for share in ("p50", "p99")
        )
        latency.barh(at, middles, height=_BAR, color=colour, label=label)
        latency.plot(slowest, at, "|", color="black", label="p99" if row == 0 else None)
    latency.set(title="Latency: p50, and p99", xlabel="milliseconds")
    figure.legend(loc="outside lower right", ncols=4, fontsize=8)
    return figure


CONTEST = Bench(
    "contest",
    "this project beside its peers: about fourteen minutes",
    Path("docs/bench.md"),
    rounds.Plan(),
    rounds.QUICK,
    {"contest": rounds.contest},
    tables,
    bars,
    pictures,
)
