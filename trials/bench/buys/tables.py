"""The results as Markdown tables. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from trials.bench.buys.variants import COMMON, TITLES
from trials.bench.buys.weather import ERROR_RATE, LOST_SHARE, SICK
from trials.bench.contest.tables import NONE, table

Row = Mapping[str, Any]
Results = Mapping[str, Any]
"""What `results/buys.json` holds: `about` the run, and `rows`, one a variant."""


class Column(NamedTuple):
    """A figure's place: its heading, the group and the name it has in a row, and its decimals."""

    heading: str
    group: str
    figure: str
    decimals: int = 0


CONFIRMED = Column("confirmed", "outcomes", "confirmed")
WAITED = Column("confirmed, of those that wait", "outcomes", "waiting_confirmed")
HALF = Column("half-booked", "outcomes", "half_booked")
CHARGED_FOR_LESS = Column("half-booked and charged", "outcomes", "charged_for_less")
HELD_TWICE = Column("a part held twice", "outcomes", "held_twice")
CHARGED_TWICE = Column("charged twice", "outcomes", "charged_twice")
NEVER_TOLD = Column("never told how it ended", "outcomes", "never_told")
ATTENTION = Column("a person was called", "outcomes", "needed_attention")
WHILE_DOWN = Column("calls while it was down", "sick", "calls_while_down")
BUSIEST = Column("most calls in 100 ms", "sick", "busiest")
SERVES = Column("first hold after it was back, s", "sick", "serves_after_s", 1)
BACKLOG = Column("last of the outage's trips told, s after", "times", "backlog_s", 1)
NO_AFTER = Column("told no after, p50, s", "times", "no_p50_s", 2)
P50 = Column("p50, ms", "calm", "p50_ms")
P95 = Column("p95, ms", "calm", "p95_ms")
CPU = Column("CPU a trip, ms", "calm", "cpu_ms")

OUTCOMES = (
    CONFIRMED,
    WAITED,
    Column("nothing booked", "outcomes", "nothing"),
    HALF,
    CHARGED_FOR_LESS,
    HELD_TWICE,
    CHARGED_TWICE,
    NEVER_TOLD,
    ATTENTION,
)
OUTAGE = (WHILE_DOWN, BUSIEST, SERVES, BACKLOG, NO_AFTER)
CALM = (P50, P95, CPU, Column("load average before", "about", "load", 1))

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
"""The figures in which each mechanism is to be looked for."""

MUST_BE_NONE = (HALF, HELD_TWICE, CHARGED_TWICE, NEVER_TOLD)
"""With all mechanisms at work."""
WHOLE = ("all", "again")


def missed(results: Results) -> list[str]:
    """What went wrong with all mechanisms at work."""
    return [
        f"{TITLES[row['variant']]}: {column.heading}: {shown(row, column)}"
        for row in results["rows"]
        for column in MUST_BE_NONE
        if row["variant"] in WHOLE and row[column.group][column.figure]
    ]


def all_tables(results: Results) -> dict[str, str]:
    """Every table, by the name that its place in the page has."""
    rows = results["rows"]
    return {
        "run": _run(results),
        "bought": _bought({row["variant"]: row for row in rows}),
        "outcomes": _figures(rows, OUTCOMES),
        "outage": _figures(rows, OUTAGE),
        "calm": _figures(rows, CALM),
    }


def shown(row: Row, column: Column) -> str:
    """A figure as text."""
    figure = row[column.group].get(column.figure)
    return NONE if figure is None else f"{figure:,.{column.decimals}f}"


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
    lines = [
        (
            TITLES[mechanism].removeprefix("no ") if first else "",
            column.heading,
            *(shown(rows[name], column) for name in (*WHOLE, mechanism)),
        )
        for mechanism, columns in BOUGHT.items()
        if {mechanism, *WHOLE} <= rows.keys()
        for first, column in _marked(columns)
    ]
    return table(("", "figure", "all of it", "all of it, again", "without"), lines)


def _marked(columns: Sequence[Column]) -> list[tuple[bool, Column]]:
    return [(number == 0, column) for number, column in enumerate(columns)]


def _figures(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    lines = ((TITLES[row["variant"]], *(shown(row, column) for column in columns)) for row in rows)
    return table(("", *(column.heading for column in columns)), lines)
