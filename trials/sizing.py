"""`python -m trials.sizing`: what a rate of trips takes, from the measured pages, into docs/sizing.md.

A figure of a page is the first number of its cell, which is the median.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stack.system import ROOT
from trials.report import filled, table

DOCS = ROOT / "docs"
PAGE = DOCS / "sizing.md"

RATES = (25, 100, 1_000, 10_000)
BUSY = 0.6
"""The share of a core that may be in use."""

WRITE_S = 0.005
SHARD_BUSY = 0.1
"""How long Temporal's store takes to write, and the share of the time for which a shard may be at it."""

DAY_S = 86_400
KEPT_EVENTS_DAYS = 30
LEAST_DOORS = 2
CALLS_A_PARTNER = 2
"""A hold and its confirmation."""

Row = Mapping[str, float]
Figure = Callable[[float], float]


@dataclass(frozen=True)
class Cost:
    """What one trip costs: milliseconds of CPU by process, and counts and bytes."""

    orchestrated: Row
    choreographed: Row
    counts: Mapping[str, Row]
    temporal: Mapping[str, Row]
    record: Mapping[str, Row]


def measured(page: str, of: str, name: str) -> dict[str, dict[str, float]]:
    """A table of a page of the docs: by row and heading, its figures. Raises ValueError."""
    text = (DOCS / page).read_text()
    found = re.search(rf"<!-- {of}: {name} -->\n(.*?)<!-- end -->", text, re.DOTALL)
    lines = [line.strip("|").split("|") for line in (found[1] if found else "").splitlines() if "|" in line]
    if len(lines) < 3:
        raise ValueError(f"docs/{page} has no table {of}: {name}")
    headings = [heading.strip() for heading in lines[0]]
    return {
        cells[0].strip(): {
            heading: figure
            for heading, cell in zip(headings[1:], cells[1:], strict=True)
            if (figure := _figure(cell)) is not None
        }
        for cells in lines[2:]
    }


def _figure(cell: str) -> float | None:
    found = re.match(r"\s*([\d.,]+)", cell)
    return float(found[1].replace(",", "")) if found else None


def cost() -> Cost:
    """What the pages say today."""
    kinds = "orchestrated-or-choreographed.md"
    cpu = measured(kinds, "kinds", "cpu")
    return Cost(
        orchestrated=cpu["orchestrated"],
        choreographed=cpu["choreographed"],
        counts=measured(kinds, "kinds", "counts"),
        temporal=measured("profile.md", "profile", "temporal"),
        record=measured("growth.md", "size", "space"),
    )


def tables(one: Cost) -> dict[str, str]:
    """The tables of the page."""
    return {
        "orchestrated": _by_rate(_orchestrated(one)),
        "choreographed": _by_rate(_choreographed(one)),
        "record": _by_rate(_of_record(one)),
    }


def _orchestrated(one: Cost) -> dict[str, Figure]:
    cpu, counts = one.orchestrated, _counts(one, "orchestrated")
    writes = sum(
        one.temporal[f"persistence: {name}"]["confirmed"]
        for name in ("CreateWorkflowExecution", "UpdateWorkflowExecution")
    )
    return {
        "workers, a core each": _processes(cpu["worker"]),
        "front doors, a core each": _doors(cpu["api"]),
        "cores of the record's PostgreSQL": _processes(cpu["postgres"]),
        "cores of Temporal": _processes(cpu["temporal"]),
        "calls to Temporal a second": _times(counts["calls to Temporal"]),
        "writes of histories a second": _times(writes),
        "history shards": lambda rate: _power_of_two(rate * writes * WRITE_S / SHARD_BUSY),
        "histories of a day, GB": _times(counts["bytes of that history"] * DAY_S / 1e9),
        "calls to each partner a second": _times(CALLS_A_PARTNER),
    }


def _choreographed(one: Cost) -> dict[str, Figure]:
    cpu, counts = one.choreographed, _counts(one, "choreographed")
    return {
        "processes `trips`, a core each": _processes(cpu["worker"]),
        "front doors, a core each": _doors(cpu["api"]),
        "cores of the record's PostgreSQL": _processes(cpu["postgres"]),
        "cores of NATS": _processes(cpu["nats"]),
        "messages kept a second": _times(counts["messages kept by the broker"]),
        "deliveries a second": _times(counts["their deliveries"]),
        "kept by the broker, MB a second": _times(counts["bytes kept by the broker"] / 1e6),
    }


def _of_record(one: Cost) -> dict[str, Figure]:
    trip, event = (one.record[what]["bytes, indexes included"] for what in ("a trip", "an event"))
    logs = {kind: _counts(one, kind) for kind in ("orchestrated", "choreographed")}
    log, states = "PostgreSQL's log, bytes, partners included", "versions of the trip in the record"
    found = {f"log, {kind}, MB a second": _times(of[log] / 1e6) for kind, of in logs.items()}
    versions = logs["orchestrated"][states]
    return found | {
        "trips of a day, GB": _times(trip * DAY_S / 1e9),
        f"events of {KEPT_EVENTS_DAYS} days, GB": _times(versions * event * KEPT_EVENTS_DAYS * DAY_S / 1e9),
    }


def _counts(one: Cost, kind: str) -> dict[str, float]:
    return {name: row[kind] for name, row in one.counts.items() if kind in row}


def _times(a_trip: float) -> Figure:
    return lambda rate: rate * a_trip


def _processes(cpu_ms: float) -> Figure:
    return lambda rate: math.ceil(rate * cpu_ms / 1000 / BUSY)


def _doors(cpu_ms: float) -> Figure:
    return lambda rate: max(LEAST_DOORS, _processes(cpu_ms)(rate))


def _power_of_two(least: float) -> int:
    return 1 << max(0, math.ceil(math.log2(least)))


def _by_rate(rows: Mapping[str, Figure]) -> str:
    shown = ((name, *(_shown(figure(rate)) for rate in RATES)) for name, figure in rows.items())
    return table(("trips a second", *(f"{rate:,}" for rate in RATES)), shown)


def _shown(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 10 or figure == int(figure) else f"{figure:.1f}"


def main() -> None:
    """Fill in the page."""
    PAGE.write_text(filled(PAGE.read_text(), tables(cost()), "sizing"))


if __name__ == "__main__":
    main()
