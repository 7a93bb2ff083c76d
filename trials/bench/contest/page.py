"""What the contest shows: its bars, its tables, its pictures. Pure: it reads the results alone."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from matplotlib.figure import Figure

from trials import cpu
from trials.bench.contest.contestants import CONTESTANTS
from trials.bench.contest.failing import SCENARIOS
from trials.report import Bar, Column, Report, Results, bar_table, figure_table, measured_on, stacked
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
    Column("Temporal, worker, API", "cpu_ms_engine", 1),
    Column("and PostgreSQL", "cpu_ms_own", 1),
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
    cpu.TEMPORAL: "#1f77b4",
    cpu.WORKER: "#2ca02c",
    cpu.API: "#98df8a",
    cpu.POSTGRES: "#9467bd",
    cpu.PARTNERS: "#c7c7c7",
    cpu.ENGINES: "#e3e3e3",
}
_LOADS = {
    "alone": ("one at a time", "#98df8a"),
    "low": ("at 30%", "#2ca02c"),
    "high": ("at 80% of saturation", "#1f77b4"),
}
_BAR = 0.26
_NONE = Spread(0, 0, 0)

Spreads = list[tuple[str, dict[str, Spread]]]


def bars(results: Results) -> list[Bar]:
    """A ratio is of the same round, and the median of all rounds; actions are rounded to a tenth."""
    rounds = results["rounds"]
    ours, textbook, bare, dbos = (rounds[name] for name in ("trips", "textbook", "bare", "dbos"))
    declined = results["failing"]["declined"]["trips"]
    most_ms = 1.5 * _median(rounds["plain"], "alone_p50_ms") + 60
    return [
        Bar("trips a second, beside the textbook's", _ratio(ours, textbook, "trips_per_s"), 3, at_least=True),
        Bar("trips a second, beside DBOS's", _ratio(ours, dbos, "trips_per_s"), 1, at_least=True),
        Bar("CPU a trip, beside the textbook's", _ratio(ours, textbook, "cpu_ms_own"), 1 / 3),
        Bar("Temporal, worker and API, beside the bare workflow's", _ratio(ours, bare, "cpu_ms_engine"), 0.9),
        Bar("billable actions of a confirmed trip", round(_median(ours, "actions"), 1), 4),
        Bar("billable actions of a declined trip", round(_median(declined, "actions"), 1), 12),
        Bar(
            "one trip at a time, p50 in ms; 1.5 times the ten calls' own and 60 ms",
            _median(ours, "alone_p50_ms"),
            most_ms,
        ),
    ]


def _median(rounds: Sequence[Figures], name: str) -> float:
    return median(figures[name] for figures in rounds)


def _ratio(ours: Sequence[Figures], theirs: Sequence[Figures], name: str) -> float:
    return median(our[name] / their[name] for our, their in zip(ours, theirs, strict=True))


def tables(results: Results) -> dict[str, str]:
    rounds = _spreads(results["rounds"])
    on_server = {title: found for title, found in rounds.items() if "actions" in found}
    about = results["about"]
    return {
        "run": f"{measured_on(about)} Rounds: {about['rounds']}, and {about['failing_rounds']} of failing "
        f"trips; a phase lasts {about['seconds']:g} s. Trips that did not end as they had to: "
        f"{len(results['wrong'])}.",
        "bars": bar_table(bars(results)),
        "speed": figure_table(rounds, SPEED),
        "cpu": figure_table(rounds, CPU),
        "server": figure_table(on_server, SERVER),
        **{
            f"failing-{scenario.name}": figure_table(_spreads(results["failing"][scenario.name]), FAILING)
            for scenario in SCENARIOS
        },
    }


def _spreads(rounds: dict[str, list[Figures]]) -> dict[str, dict[str, Spread]]:
    return {one.title: spread(rounds[one.name]) for one in CONTESTANTS if one.name in rounds}


def pictures(results: Results) -> dict[str, Callable[[], Figure]]:
    found = list(reversed(_spreads(results["rounds"]).items()))
    return {"contest-cpu": lambda: _cpu(found), "contest-speed": lambda: _speed(found)}


def _cpu(found: Spreads) -> Figure:
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    panel = figure.subplots()
    layers = {
        group: (colour, [figures[f"cpu_ms_{group}"].median for _, figures in found])
        for group, colour in _COLOURS.items()
    }
    stacked(panel, [title for title, _ in found], layers)
    panel.set(title="CPU a trip, at saturation", xlabel="milliseconds")
    panel.legend(loc="lower right")
    return figure


def _speed(found: Spreads) -> Figure:
    figure = Figure(figsize=(9, 4), layout="constrained")
    rate, latency = figure.subplots(1, 2, sharey=True)
    places = range(len(found))
    rates = [figures["trips_per_s"] for _, figures in found]
    rate.barh(places, [one.median for one in rates], xerr=_reach(rates), color="#1f77b4", height=0.6)
    rate.set(title="Trips a second at saturation", xlabel="trips a second")
    rate.set_yticks(places, [title for title, _ in found])
    for row, (load, (label, colour)) in enumerate(_LOADS.items()):
        at = [place + _BAR * (1 - row) for place in places]
        middles, slowest = (
            [figures.get(f"{load}_{share}_ms", _NONE).median for _, figures in found]
            for share in ("p50", "p99")
        )
        latency.barh(at, middles, height=_BAR, color=colour, label=label)
        latency.plot(slowest, at, "|", color="black", label="p99" if row == 0 else None)
    latency.set(title="Latency: p50, and p99", xlabel="milliseconds")
    figure.legend(loc="outside lower right", ncols=4, fontsize=8)
    return figure


def _reach(spreads: Iterable[Spread]) -> Any:
    """How far each lowest and highest figure is from its median, as matplotlib takes it."""
    return list(zip(*((one.median - one.low, one.high - one.median) for one in spreads), strict=True))


REPORT = Report(
    "contest", Path("docs/bench.md"), tables, pictures, bars, wrong=lambda results: results["wrong"]
)
