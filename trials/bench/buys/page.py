"""What the variants show: their tables, their pictures, and what must not be."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from trials.bench.bench import Bench
from trials.bench.buys.measure import ERROR_RATE, LOST_SHARE, SICK, measured
from trials.bench.buys.plan import QUICK, Plan
from trials.bench.buys.variants import COMMON, TITLES, VARIANTS
from trials.bench.drawing import BLUE, GREEN, PALE, PALE_GREEN, RED, Figure, calls_in_outage, panels, stacked
from trials.report import Bar, Column, Results, figure_table, shown_as, table

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
    "whole": ("confirmed", GREEN),
    "nothing booked": ("nothing", PALE),
    "half-booked": ("half_booked", RED),
}
_LOADS_THE_SICK = ("all", "backoff", "jitter", "breaker", "probe", "none")


def bars(results: Results) -> list[Bar]:
    return [
        Bar(f"{TITLES[name]}: {column.heading}", results[name]["outcomes"][column.figure], 0)
        for name in WHOLE
        if name in results
        for column in MUST_BE_NONE
    ]


def tables(results: Results) -> dict[str, str]:
    rows = _rows(results)

    def shown(columns: Sequence[Column], *groups: str) -> str:
        return figure_table({TITLES[name]: _flat(row, *groups) for name, row in rows.items()}, columns)

    return {
        "run": _run(next(iter(rows.values()))),
        "bought": _bought(rows),
        "outcomes": shown(OUTCOMES, "outcomes"),
        "outage": shown(OUTAGE, "sick", "times"),
        "calm": shown(CALM, "calm", "about"),
    }


def _rows(results: Results) -> dict[str, Row]:
    return {variant.name: results[variant.name] for variant in VARIANTS if variant.name in results}


def _flat(row: Row, *groups: str) -> Row:
    return {name: figure for group in groups for name, figure in row[group].items()}


def _run(row: Row) -> str:
    plan, outcomes = row["about"], row["outcomes"]
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
        f"{COMMON['TRIPS_PROBE_INTERVAL_S']} s. {plan['cores']} cores ({plan['machine']}), Python "
        f"{plan['python']}."
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


def pictures(results: Results) -> dict[str, Figure]:
    rows = {TITLES[name]: row for name, row in _rows(results).items()}
    plan = next(iter(rows.values()))["about"]
    down_s, until_s = plan["down_s"], plan["rough_s"] + plan["settle_s"] / 2
    at_s = {TITLES[name]: results[name]["sick"]["at_s"] for name in _LOADS_THE_SICK if name in results}
    seconds = range(-int(down_s), int(until_s - down_s))
    found = {"mechanisms-outcomes": _outcomes(rows), "mechanisms-calm": _calm(rows)}
    if at_s:
        outage_s, kill_s = plan["up_s"] - down_s, plan["kill_s"] - down_s
        found["mechanisms-outage"] = calls_in_outage(at_s, outage_s, seconds, kill_s)
    return found


def _outcomes(rows: Mapping[str, Row]) -> Figure:
    figure, (panel,) = panels(4.2)
    layers = {
        label: (colour, [row["outcomes"][name] for row in rows.values()])
        for label, (name, colour) in _ENDS.items()
    }
    stacked(panel, list(rows), layers)
    for column, marker in ((HELD_TWICE, "x"), (CHARGED_TWICE, "D")):
        found = {title: row["outcomes"][column.figure] for title, row in rows.items()}
        if hit := {title: trips for title, trips in found.items() if trips}:
            panel.plot(list(hit.values()), list(hit), marker, color="black", label=column.heading)
    panel.invert_yaxis()
    panel.set(title="How the trips of the rough phase stand at their partners", xlabel="trips")
    figure.legend(loc="outside lower center", ncols=5, fontsize=8)
    return figure


def _calm(rows: Mapping[str, Row]) -> Figure:
    figure, (latency, cpu) = panels(3.6, 1, 2, sharey=True)
    p50, p95, cpu_ms = ([row["calm"][column.figure] for row in rows.values()] for column in CALM[:3])
    latency.barh(list(rows), p50, color=PALE_GREEN, label="p50")
    latency.plot(p95, list(rows), "|", color="black", label="p95")
    cpu.barh(list(rows), cpu_ms, color=BLUE)
    latency.invert_yaxis()
    latency.set(title="All is well: latency of a trip", xlabel="milliseconds")
    latency.legend(loc="lower right")
    cpu.set(title="CPU a trip of the saga's own processes", xlabel="milliseconds")
    return figure


BUYS = Bench(
    "buys",
    "what each mechanism buys, by leaving it out: about twelve minutes",
    Path("docs/mechanisms.md"),
    Plan(),
    QUICK,
    {variant.name: partial(measured, variant) for variant in VARIANTS},
    tables,
    bars,
    pictures,
)
