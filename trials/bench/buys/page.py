"""What the variants show: their tables, their pictures, and what must not be. Pure: it reads the results."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from trials.bench.buys.measure import ERROR_RATE, LOST_SHARE, SICK
from trials.bench.buys.variants import COMMON, TITLES
from trials.report import Bar, Column, Report, Results, a_second, figure_table, shown_as, stacked, table

Row = Mapping[str, Any]
"""A variant's groups of figures."""

CONFIRMED = Column("confirmed", "confirmed")
WAITED = Column("confirmed, of those that wait", "waiting_confirmed")
HALF = Column("half-booked", "half_booked")
CHARGED_FOR_LESS = Column("half-booked and charged", "charged_for_less")
HELD_TWICE = Column("a part held twice", "held_twice")
CHARGED_TWICE = Column("charged twice", "charged_twice")
NEVER_TOLD = Column("never told how it ended", "never_told")
ATTENTION = Column("a person was called", "needed_attention")
WHILE_DOWN = Column("calls while it was down", "calls_while_down")
BUSIEST = Column("most calls in 100 ms", "busiest")
SERVES = Column("first hold after it was back, s", "serves_after_s", 1)
BACKLOG = Column("last of the outage's trips told, s after", "backlog_s", 1)
NO_AFTER = Column("told no after, p50, s", "no_p50_s", 2)

OUTCOMES = (
    CONFIRMED,
    WAITED,
    Column("nothing booked", "nothing"),
    HALF,
    CHARGED_FOR_LESS,
    HELD_TWICE,
    CHARGED_TWICE,
    NEVER_TOLD,
    ATTENTION,
)
OUTAGE = (WHILE_DOWN, BUSIEST, SERVES, BACKLOG, NO_AFTER)
CALM = (
    Column("p50, ms", "p50_ms"),
    Column("p95, ms", "p95_ms"),
    Column("CPU a trip, ms", "cpu_ms"),
    Column("load average before", "load", 1),
)

BOUGHT: Mapping[str, Sequence[Column]] = {
    "retries": (CONFIRMED, ATTENTION),
    "backoff": (CONFIRMED, WHILE_DOWN, BUSIEST),
    "jitter": (CONFIRMED, BUSIEST),
    "breaker": (CONFIRMED, WAITED, WHILE_DOWN, NO_AFTER),
    "probe": (CONFIRMED, SERVES, BACKLOG),
    "compensation": (HALF,),
    "keys": (HELD_TWICE, CHARGED_TWICE, HALF),
    "durable": (HALF, CHARGED_FOR_LESS, NEVER_TOLD),
}
"""The figures that show each mechanism."""

WHOLE = ("all", "again")
MUST_BE_NONE = (HALF, HELD_TWICE, CHARGED_TWICE, NEVER_TOLD)
"""With all mechanisms at work."""

_ENDS = {
    "whole": ("confirmed", "#2ca02c"),
    "nothing booked": ("nothing", "#c7c7c7"),
    "half-booked": ("half_booked", "#d62728"),
}
_TWICE = {"held_twice": ("a part held twice", "x"), "charged_twice": ("charged twice", "D")}
_LOADS_THE_SICK = ("all", "backoff", "jitter", "breaker", "probe", "none")
_LINE = "#1f77b4"


def bars(results: Results) -> list[Bar]:
    return [
        Bar(f"{TITLES[row['variant']]}: {column.heading}", row["outcomes"][column.figure], 0)
        for row in results["rows"]
        for column in MUST_BE_NONE
        if row["variant"] in WHOLE
    ]


def tables(results: Results) -> dict[str, str]:
    rows = {row["variant"]: row for row in results["rows"]}

    def shown(columns: Sequence[Column], *groups: str) -> str:
        return figure_table({TITLES[name]: _flat(row, *groups) for name, row in rows.items()}, columns)

    return {
        "run": _run(results),
        "bought": _bought(rows),
        "outcomes": shown(OUTCOMES, "outcomes"),
        "outage": shown(OUTAGE, "sick", "times"),
        "calm": shown(CALM, "calm", "about"),
    }


def _flat(row: Row, *groups: str) -> Row:
    return {name: figure for group in groups for name, figure in row[group].items()}


def _run(results: Results) -> str:
    about, plan = results["about"], results["about"]["plan"]
    outcomes = results["rows"][0]["outcomes"]
    return (
        f"Each variant: a fresh system with one worker, {plan['per_s']:g} trips a second by chance, the same "
        f"trips at the same moments (seed {plan['seed']}). First {plan['calm_s']:g} s in which all is well. "
        f"Then {plan['rough_s']:g} s with {outcomes['trips']} trips: every partner answers {ERROR_RATE:.0%} "
        f"of its calls with 503 and cuts {LOST_SHARE:.0%} off after they took effect; the {SICK} partner is "
        f"down from {plan['down_s']:g} s to {plan['up_s']:g} s; the process that carries the trips is killed "
        f"(`kill -9`) at {plan['kill_s']:g} s. Of the trips {outcomes['declined']} have a card that is "
        f"declined; {outcomes['waiting']} would rather wait for a partner that is down, the others fail. "
        f"Retries: base {COMMON['TRIPS_RETRY_BASE_S']} s, cap {COMMON['TRIPS_RETRY_CAP_S']} s, "
        f"{COMMON['TRIPS_RETRY_ATTEMPTS']} attempts, {COMMON['TRIPS_RETRY_JITTER']} jitter; a breaker opens "
        f"for {COMMON['TRIPS_BREAKER_OPEN_S']} s; a health check every "
        f"{COMMON['TRIPS_PROBE_INTERVAL_S']} s. {about['cores']} cores ({about['machine']}), Python "
        f"{about['python']}."
    )


def _bought(rows: Mapping[str, Row]) -> str:
    flat = {name: _flat(row, "outcomes", "sick", "times") for name, row in rows.items()}
    lines = [
        (
            TITLES[mechanism].removeprefix("no ") if column is columns[0] else "",
            column.heading,
            *(shown_as(flat[name].get(column.figure), column.decimals) for name in (*WHOLE, mechanism)),
        )
        for mechanism, columns in BOUGHT.items()
        if {mechanism, *WHOLE} <= rows.keys()
        for column in columns
    ]
    return table(("", "figure", "all of it", "all of it, again", "without"), lines)


def pictures(results: Results) -> dict[str, Callable[[], Figure]]:
    rows = results["rows"]
    return {
        "mechanisms-outcomes": partial(_outcomes, rows),
        "mechanisms-outage": partial(_outage, rows, results["about"]["plan"]),
        "mechanisms-calm": partial(_calm, rows),
    }


def _outcomes(rows: Sequence[Row]) -> Figure:
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    panel = figure.subplots()
    titles = [TITLES[row["variant"]] for row in rows]
    layers = {
        label: (colour, [row["outcomes"][name] for row in rows]) for label, (name, colour) in _ENDS.items()
    }
    stacked(panel, titles, layers)
    for name, (label, marker) in _TWICE.items():
        hit = [(row["outcomes"][name], TITLES[row["variant"]]) for row in rows if row["outcomes"][name]]
        if hit:
            panel.plot(*zip(*hit, strict=True), marker, color="black", label=label)
    panel.invert_yaxis()
    panel.set(title="How the trips of the rough phase stand at their partners", xlabel="trips")
    figure.legend(loc="outside lower center", ncols=5, fontsize=8)
    return figure


def _outage(rows: Sequence[Row], plan: Any) -> Figure:
    found = [row for row in rows if row["variant"] in _LOADS_THE_SICK]
    figure = Figure(figsize=(9, 1.4 * len(found)), layout="constrained")
    panels = figure.subplots(len(found), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    seconds = range(-int(plan["down_s"]), int(plan["rough_s"] - plan["down_s"] + plan["settle_s"] / 2))
    for panel, row in zip(panels, found, strict=True):
        a_second(panel, row["sick"]["at_s"], seconds, _LINE)
        panel.axvspan(0, row["sick"]["outage_s"], color="black", alpha=0.07)
        panel.axvline(plan["kill_s"] - plan["down_s"], color="#d62728", linewidth=0.8)
        panel.set_title(TITLES[row["variant"]], loc="left", fontsize=10)
    panels[0].set_ylim(bottom=0)
    panels[-1].set_xlabel("seconds since the partner went down; grey: the outage, red: the kill")
    figure.supylabel("calls a second at the sick partner")
    return figure


def _calm(rows: Sequence[Row]) -> Figure:
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    latency, cpu = figure.subplots(1, 2, sharey=True)
    titles = [TITLES[row["variant"]] for row in rows]
    latency.barh(titles, [row["calm"]["p50_ms"] for row in rows], color="#98df8a", label="p50")
    latency.plot([row["calm"]["p95_ms"] for row in rows], titles, "|", color="black", label="p95")
    cpu.barh(titles, [row["calm"]["cpu_ms"] for row in rows], color=_LINE)
    latency.invert_yaxis()
    latency.set(title="All is well: latency of a trip", xlabel="milliseconds")
    latency.legend(loc="lower right")
    cpu.set(title="CPU a trip of the saga's own processes", xlabel="milliseconds")
    return figure


REPORT = Report("buys", Path("docs/mechanisms.md"), tables, pictures, bars)
