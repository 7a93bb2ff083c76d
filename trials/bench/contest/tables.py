"""The results as Markdown tables, and the page of the docs with them filled in. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from trials.bench.contest import cpu
from trials.bench.contest.bars import Bar, Results, judged
from trials.bench.contest.contestants import CONTESTANTS
from trials.bench.contest.failing import SCENARIOS
from trials.bench.contest.figures import Spread, spread

NONE = "–"
_YES = {True: "yes", False: "no"}
_PLACE = r"(<!-- {page}: {name} -->\n).*?(<!-- end -->\n)"


class Column(NamedTuple):
    """A figure's place in a table: its heading, its name, and its decimals."""

    heading: str
    figure: str
    decimals: int = 0


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


def all_tables(results: Results) -> dict[str, str]:
    """Every table, by the name that its place in the page has."""
    rounds = {one.title: spread(results["rounds"][one.name]) for one in CONTESTANTS}
    return {
        "run": _run(results),
        "bars": bar_table(judged(results)),
        "speed": figure_table(rounds, SPEED),
        "cpu": figure_table(rounds, CPU),
        "server": figure_table(
            {title: found for title, found in rounds.items() if "actions" in found}, SERVER
        ),
        **{f"failing-{name}": found for name, found in _failing(results)},
    }


def filled(page: str, tables: Mapping[str, str], of: str = "contest") -> str:
    """The page of a benchmark with each table in its place. Raises ValueError where a place is missing."""
    for name, found in tables.items():
        pattern = re.compile(_PLACE.format(page=of, name=re.escape(name)), re.DOTALL)
        # A replacement is read for backslashes, of which tables have none.
        page, places = pattern.subn(rf"\g<1>\n{found}\n\n\g<2>", page)
        if places != 1:
            raise ValueError(f"the page has {places} places for the table {name}")
    return page


def _run(results: Results) -> str:
    about = results["about"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return (
        f"Measured on {about['cores']} cores ({about['machine']}), Python {about['python']}, {versions}. "
        f"Rounds: {about['rounds']}, and {about['failing_rounds']} of failing trips; a phase lasts "
        f"{about['seconds']:g} s. Trips that did not end as they had to: {len(results['wrong'])}."
    )


def bar_table(bars: Iterable[Bar]) -> str:
    """Each bar, and whether it is met."""
    rows = (
        (bar.text, f"{bar.figure:.3g}", f"{'≥' if bar.at_least else '≤'} {bar.limit:.3g}", _YES[bar.is_met])
        for bar in bars
    )
    return table(("", "measured", "bar", "met"), rows)


def _failing(results: Results) -> Iterable[tuple[str, str]]:
    for scenario in SCENARIOS:
        rows = {
            one.title: spread(results["failing"][scenario.name][one.name])
            for one in CONTESTANTS
            if one.name in scenario.contestants
        }
        yield scenario.name, figure_table(rows, FAILING)


def figure_table(
    rows: Mapping[str, Mapping[str, Spread]], columns: Sequence[Column], heading: str = ""
) -> str:
    """A row each, with the median of every figure, and its lowest and highest where these differ."""
    shown = (
        (title, *(_spread(found.get(column.figure), column.decimals) for column in columns))
        for title, found in rows.items()
    )
    return table((heading, *(column.heading for column in columns)), shown)


def _spread(figure: Spread | None, decimals: int) -> str:
    if figure is None:
        return NONE
    middle, low, high = (f"{value:,.{decimals}f}" for value in figure)
    return middle if low == high else f"{middle} ({low} to {high})"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, whose numbers stand to the right."""
    lines = [headings, ("---", *("---:" for _ in headings[1:])), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
