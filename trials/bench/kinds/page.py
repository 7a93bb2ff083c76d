"""What the two kinds show beside each other: their tables, their picture, their bars."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from trials import cpu
from trials.bench.bench import Bench
from trials.bench.contest.contestants import CHOREOGRAPHED, ORCHESTRATED
from trials.bench.drawing import BLUE, BROWN, GREEN, PALE, PALE_GREEN, PURPLE, Figure, panels, stacked
from trials.bench.kinds.counted import counts
from trials.bench.kinds.killed import NOTHING, forgotten, killed
from trials.bench.kinds.lines import counted as counted_lines
from trials.bench.kinds.plan import QUICK, Plan
from trials.bench.kinds.steady import FAILING, SHARE, failures, steady
from trials.report import (
    NONE,
    Bar,
    Column,
    Results,
    bar_table,
    counted,
    figure_table,
    measured_on,
    shown_as,
    table,
)
from trials.statistics import Spread, spread

BOTH = (ORCHESTRATED, CHOREOGRAPHED)

SPEED = (
    Column("trips a second", "trips_per_s", 1),
    Column("alone, p50, ms", "alone_p50_ms"),
    Column("p99", "alone_p99_ms"),
    Column("at the same rate, p50, ms", "same_p50_ms"),
    Column("p99", "same_p99_ms"),
)
_GROUPS = {
    cpu.TEMPORAL: BLUE,
    cpu.NATS: BROWN,
    cpu.WORKER: GREEN,
    cpu.API: PALE_GREEN,
    cpu.POSTGRES: PURPLE,
    cpu.PARTNERS: PALE,
    cpu.ENGINES: "#e3e3e3",
}
CPU = (
    *(Column(group, f"cpu_ms_{group}", 1) for group in _GROUPS),
    Column("the saga's own", "cpu_ms_own", 1),
    Column("all", "cpu_ms_all", 1),
)
COUNTS = (
    Column("calls or messages that ask something of a partner", "calls", 1),
    Column("messages kept by the broker", "messages", 1),
    Column("their deliveries", "deliveries", 1),
    Column("bytes kept by the broker", "message_bytes"),
    Column("events in Temporal's history", "events", 1),
    Column("bytes of that history", "history_bytes"),
    Column("calls to Temporal", "server_calls", 1),
    Column("versions of the trip in the record", "trip_events", 1),
    Column("PostgreSQL's log, bytes, partners included", "wal_bytes"),
    Column("syncs of a disk", "syncs", 1),
    Column("of them PostgreSQL's, partners included", "syncs_postgres", 1),
    Column("the broker's", "syncs_nats", 1),
    Column("Temporal's", "syncs_temporal", 1),
    Column("the hotel's engine's", "syncs_mongo", 1),
    Column("the flight's engine's", "syncs_redis", 1),
    Column("the points' engine's", "syncs_falkordb", 1),
)
FAILURES = (
    Column("told after, p50, ms", "all_p50_ms"),
    Column("at most", "all_max_ms"),
    Column("calls or messages", "calls", 1),
    Column("the saga's own CPU, ms", "cpu_ms_own", 1),
    Column("all CPU, ms", "cpu_ms_all", 1),
)
_FAILED = {"declined": "card declined", "retried": "flight answers 503"}
_KILLED = {
    NOTHING: "nothing",
    "temporal": "Temporal",
    "nats": "the broker",
    "worker-1": "the worker",
    "trips": "`trips`",
    "api": "the front door",
    "postgres": "PostgreSQL",
    "hotel": "the hotel's process",
    "mongo": "the hotel's engine",
}
_CARRIERS = ("nats", "trips")
_SETTLES_S = 10.0


class Fact(NamedTuple):
    """A line of the summary: a figure of each kind. `more`: the greater one is ahead."""

    text: str
    figure: Callable[[Results, str], float | None]
    decimals: int = 0
    more: bool = False


def _steady(figure: str) -> Callable[[Results, str], float | None]:
    return lambda results, kind: _median(results["steady"]["rounds"][kind], figure)


def _failing(scenario: str, figure: str) -> Callable[[Results, str], float | None]:
    return lambda results, kind: _median(results["failing"]["scenarios"][scenario][kind], figure)


def _counted(figure: str) -> Callable[[Results, str], float | None]:
    return lambda results, kind: results["counts"]["kinds"][kind].get(figure)


def _settled(*parts: str) -> Callable[[Results, str], float | None]:
    """The slowest of these parts that the kind has."""

    def figure(results: Results, kind: str) -> float | None:
        runs = results["killed"]["kinds"][kind]
        return max((_median(runs[part], "settled_s") for part in parts if part in runs), default=None)

    return figure


FACTS = {
    "steady": (
        Fact("trips a second", _steady("trips_per_s"), 1, more=True),
        Fact("the saga's own CPU a trip, ms", _steady("cpu_ms_own"), 1),
        Fact("all CPU a trip, ms", _steady("cpu_ms_all"), 1),
        Fact("p50 alone, ms", _steady("alone_p50_ms")),
        Fact("p50 at the same rate, ms", _steady("same_p50_ms")),
        Fact("p99 at the same rate, ms", _steady("same_p99_ms")),
    ),
    "failing": (
        Fact("a declined card: told after, p50, ms", _failing("declined", "all_p50_ms")),
        Fact("a declined card: all CPU, ms", _failing("declined", "cpu_ms_all"), 1),
        Fact("a partner that fails: told after, p50, ms", _failing("retried", "all_p50_ms")),
    ),
    "counts": (
        Fact("syncs of a disk a trip", _counted("syncs"), 1),
        Fact("PostgreSQL's log a trip, bytes", _counted("wal_bytes")),
    ),
    "killed": (
        Fact("server killed (Temporal, broker): ended after, s", _settled("temporal", "nats"), 1),
        Fact("its process killed (worker, `trips`): ended after, s", _settled("worker-1", "trips"), 1),
        Fact("front door or PostgreSQL killed: ended after, s", _settled("api", "postgres"), 1),
        Fact("a partner or its engine killed: ended after, s", _settled("hotel", "mongo"), 1),
    ),
    "forgotten": (
        Fact("the server forgets all: ended after, s", lambda r, kind: _lost(r, kind)["settled_s"], 1),
        Fact(
            "and so many trips of these are lost",
            lambda r, kind: _lost(r, kind)["trips"] - _lost(r, kind)["ended"].get("confirmed", 0),
        ),
    ),
    "lines": (Fact("lines of code of its own", lambda r, kind: _own_lines(r["lines"], kind)),),
}
"""By the part of the results that they are read from."""


def _lost(results: Results, kind: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = results["forgotten"]["kinds"][kind]
    return found


def _own_lines(found: Results, kind: str) -> float:
    return float(found[kind] + (found["besides"] if kind == CHOREOGRAPHED else 0))


def _median(rounds: Sequence[Mapping[str, float]], figure: str) -> float:
    return median(one[figure] for one in rounds)


def bars(results: Results) -> list[Bar]:
    """A ratio is of the same round, and the median of all rounds."""
    found = []
    if "steady" in results:
        rounds = results["steady"]["rounds"]
        found += [
            Bar("the saga's own CPU, beside the orchestrated", _ratio(rounds, "cpu_ms_own"), 0.5),
            Bar("all CPU, beside the orchestrated", _ratio(rounds, "cpu_ms_all"), 0.75),
            Bar("trips a second, beside the orchestrated", _ratio(rounds, "trips_per_s"), 1.3, at_least=True),
            Bar("p50 alone, beside the orchestrated", _ratio(rounds, "alone_p50_ms"), 1),
        ]
    if "killed" in results:
        slowest = _settled(*_CARRIERS)(results, CHOREOGRAPHED)
        found.append(
            Bar("seconds until trips have ended, broker or `trips` killed", slowest or 0, _SETTLES_S)
        )
    if "forgotten" in results:
        lost = _lost(results, CHOREOGRAPHED)
        unconfirmed = lost["trips"] - lost["ended"].get("confirmed", 0)
        found += [
            Bar("seconds until trips have ended, the broker's log gone", lost["settled_s"], _SETTLES_S),
            Bar("trips lost with the broker's log", unconfirmed, 0),
        ]
    return found


def _ratio(rounds: Mapping[str, Sequence[Mapping[str, float]]], figure: str) -> float:
    pairs = zip(*(rounds[kind] for kind in (CHOREOGRAPHED, ORCHESTRATED)), strict=True)
    ratios: list[float] = [ours[figure] / theirs[figure] for ours, theirs in pairs]
    return median(ratios)


def tables(results: Results) -> dict[str, str]:
    found = {"summary": _summary(results), "bars": bar_table(bars(results))}
    shown: dict[str, Callable[[Results], dict[str, str]]] = {
        "steady": _steady_tables,
        "counts": lambda part: {"counts": _counts(part["kinds"])},
        "failing": _failing_tables,
        "killed": lambda part: {"killed": _killed(part["kinds"])},
        "forgotten": lambda part: {"forgotten": _forgotten(part["kinds"])},
        "lines": lambda part: {"lines": _lines(part)},
    }
    for part, make in shown.items():
        if part in results:
            found |= make(results[part])
    return found


def _summary(results: Results) -> str:
    facts = [fact for part, some in FACTS.items() if part in results for fact in some]
    return table(("", *BOTH, "ahead"), (_line(fact, results) for fact in facts))


def _line(fact: Fact, results: Results) -> Sequence[str]:
    values = [fact.figure(results, kind) for kind in BOTH]
    return (fact.text, *(shown_as(value, fact.decimals) for value in values), _ahead(values, more=fact.more))


def _ahead(values: Sequence[float | None], *, more: bool) -> str:
    one, other = values
    if one is None or other is None or one == other:
        return NONE
    return BOTH[int((other > one) is more)]


def _steady_tables(part: Results) -> dict[str, str]:
    spreads = {kind: spread(part["rounds"][kind]) for kind in BOTH}
    about = part["about"]
    return {
        "run": f"{measured_on(about)} Rounds: {about['rounds']}; a phase lasts {about['seconds']:g} s. "
        f"{about['in_flight']} trips are under way at saturation, and the same rate is {SHARE:.0%} of what "
        f"the slower kind does there. Trips that did not end as they had to: {len(part['wrong'])}.",
        "speed": figure_table(spreads, SPEED),
        "cpu": figure_table(spreads, CPU),
    }


def _counts(kinds: Mapping[str, Mapping[str, float]]) -> str:
    return table(
        ("", *BOTH),
        (
            (one.heading, *(shown_as(kinds[kind].get(one.figure), one.decimals) for kind in BOTH))
            for one in COUNTS
        ),
    )


def _failing_tables(part: Results) -> dict[str, str]:
    rows = {
        f"{_FAILED[name]}, {kind}": spread(part["scenarios"][name][kind])
        for name in (scenario.name for scenario in FAILING)
        for kind in BOTH
    }
    return {"failing": figure_table(rows, FAILURES)}


def _killed(kinds: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]) -> str:
    def shown(kind: str, part: str) -> str:
        runs = kinds[kind].get(part)
        if runs is None:
            return NONE
        times = [one["settled_s"] for one in runs]
        return shown_as(Spread(median(times), min(times), max(times)), 1)

    def ended(kind: str) -> str:
        total: dict[str, int] = {}
        for runs in kinds[kind].values():
            for run in runs:
                for status, trips in run["ended"].items():
                    total[status] = total.get(status, 0) + trips
        return counted(total)

    parts = [part for part in _KILLED if any(part in kinds[kind] for kind in BOTH)]
    rows = [(_KILLED[part], *(shown(kind, part) for kind in BOTH)) for part in parts]
    return table(("killed", *BOTH), [*rows, ("all of these trips ended", *map(ended, BOTH))])


def _forgotten(kinds: Mapping[str, Mapping[str, Any]]) -> str:
    rows = (
        (kind, what, shown_as(kinds[kind]["settled_s"], 1), counted(kinds[kind]["ended"]))
        for kind, what in zip(BOTH, ("Temporal's database", "the broker's streams of trips"), strict=True)
    )
    return table(("", "gone", "ended after, s", "and how"), rows)


def _lines(part: Mapping[str, int]) -> str:
    rows = (
        ("what only the orchestrated saga loads", part[ORCHESTRATED]),
        ("what only the choreographed saga loads", part[CHOREOGRAPHED]),
        ("and its messages at the front door, and its scripts in the partners' stores", part["besides"]),
        ("what both load", part["both"]),
    )
    return table(("", "lines"), ((text, f"{lines:,}") for text, lines in rows))


def pictures(results: Results) -> dict[str, Figure]:
    if "steady" not in results:
        return {}
    found = {kind: spread(results["steady"]["rounds"][kind]) for kind in reversed(BOTH)}
    figure, (panel,) = panels(2.2)
    layers = {
        group: (colour, [figures[f"cpu_ms_{group}"].median for figures in found.values()])
        for group, colour in _GROUPS.items()
    }
    stacked(panel, list(found), layers)
    panel.set(title="CPU a trip, at saturation", xlabel="milliseconds")
    panel.legend(loc="lower right", ncols=2)
    return {"kinds-cpu": figure}


async def lines(_plan: Plan) -> Results:
    return {**await asyncio.to_thread(counted_lines)}


KINDS = Bench(
    "kinds",
    "the orchestrated saga beside the choreographed one: about eight minutes",
    Path("docs/orchestrated-or-choreographed.md"),
    Plan(),
    QUICK,
    {
        "steady": steady,
        "counts": counts,
        "failing": failures,
        "killed": killed,
        "forgotten": forgotten,
        "lines": lines,
    },
    tables,
    bars,
    pictures,
)
