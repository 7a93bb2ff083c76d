"""The results as Markdown tables, by the name of their place in the page. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from trials.bench.contest.figures import spread
from trials.bench.contest.tables import Column, bar_table, figure_table, table
from trials.bench.growth import breaker_off, telemetry_off
from trials.bench.growth.bars import (
    Results,
    behind_p99,
    breaker_cpu,
    judged,
    memory_growth,
    telemetry_cpu,
)
from trials.bench.growth.figures import Estimate
from trials.bench.growth.growth import MANY_BEHIND, NONE_BEHIND, PARTS

LATENCY = (
    Column("p50, ms", "p50_ms"),
    Column("p99, ms", "p99_ms"),
    Column("trips timed", "trips"),
    Column("CPU a trip, ms", "cpu_ms_own", 1),
)
PHASE = (Column("trips a second", "trips_per_s", 1), *LATENCY)
CPU = tuple(
    Column(heading, f"cpu_ms_{group}", 1)
    for heading, group in (
        ("Temporal", "temporal"),
        ("worker", "worker"),
        ("API", "api"),
        ("PostgreSQL", "postgres"),
        ("together", "own"),
    )
)


def all_tables(results: Results) -> dict[str, str]:
    """The tables of every part that was run."""
    found = {"run": _run(results), "bars": bar_table(judged(results))}
    for part, made in _TABLES.items():
        if part in results:
            found |= made(results[part], results)
    return found


def _run(results: Results) -> str:
    about = results["about"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    loads = ", ".join(
        f"{part.replace('_', ' ')} {results[part]['load']:.1f}" for part in PARTS if part in results
    )
    quick = [part.replace("_", " ") for part in PARTS if results.get(part, {}).get("is_quick")]
    return (
        f"Measured on {about['cores']} cores ({about['machine']}), Python {about['python']}, {versions}. "
        f"The machine's load average of the last minute when each part began: {loads}."
        + (f" With `--quick`, which is too short to judge by: {', '.join(quick)}." if quick else "")
    )


def _in_flight(part: Mapping[str, Any], _: Results) -> dict[str, str]:
    return {"in-flight": _phases("in flight", part, {name: name for name in part["phases"]})}


def _behind(part: Mapping[str, Any], results: Results) -> dict[str, str]:
    titles = {NONE_BEHIND: "none", MANY_BEHIND: f"{part['finished']:,}"}
    aside = {"phases": part["side_by_side"]}
    found = _phases("finished trips behind", aside, titles, LATENCY)
    return {
        "behind": _phases("finished trips behind", part, titles),
        "behind-aside": f"{found}\n\np99, all rounds together, beside none: {_ratio(behind_p99(results))}.",
    }


def _workers(part: Mapping[str, Any], _: Results) -> dict[str, str]:
    return {"workers": _phases("workers", part, {name: name for name in part["phases"]})}


def _breaker(part: Mapping[str, Any], results: Results) -> dict[str, str]:
    return {"breaker": _switched(part, breaker_off.ON, breaker_off.OFF, breaker_cpu(results))}


def _telemetry(part: Mapping[str, Any], results: Results) -> dict[str, str]:
    return {"telemetry": _switched(part, telemetry_off.ON, telemetry_off.OFF, telemetry_cpu(results))}


def _switched(part: Mapping[str, Any], with_it: str, without: str, ratio: Estimate) -> str:
    rows = {name: spread(map(_numbers, part["phases"][name])) for name in (with_it, without)}
    rounds = len(part["phases"][with_it])
    return f"{figure_table(rows, CPU)}\n\nCPU a trip, beside none, {rounds} rounds: {_ratio(ratio)}."


def _memory(part: Mapping[str, Any], results: Results) -> dict[str, str]:
    first, last = part["samples"][0][1:], part["samples"][-1][1:]
    rows = (
        (name, f"{start / 1024:.1f}", f"{end / 1024:.1f}", _interval(grows, 0))
        for (name, grows), start, end in zip(memory_growth(results).items(), first, last, strict=True)
    )
    return {
        "memory": f"{part['trips']:,} trips, {part['in_flight']} in flight:\n\n"
        + table(("", "MB at first", "MB at last", "kB a 1,000 trips, after warm-up"), rows)
    }


def _burst(part: Mapping[str, Any], _: Results) -> dict[str, str]:
    rows: Iterable[tuple[str, str]] = (
        ("requests", f"{part['trips']:,}"),
        ("answers by status", _counted(part["answers"])),
        ("answered a second", f"{part['posts_per_s']:.0f}"),
        ("an answer, p50, p99, at most, ms", _three(part, "post", "ms", 0)),
        ("all trips ended after, s", f"{part['drained_s']:.0f}"),
        ("ended a second", f"{part['trips_per_s']:.1f}"),
        ("from acceptance to the end, p50, p99, at most, s", _three(part, "waited", "s", 0)),
        ("trips by status", _counted(part["statuses"])),
    )
    return {"burst": table(("", ""), rows)}


def _phases(
    heading: str, part: Mapping[str, Any], titles: Mapping[str, str], columns: Sequence[Column] = PHASE
) -> str:
    rows = {title: spread(map(_numbers, part["phases"][name])) for name, title in titles.items()}
    return figure_table(rows, columns, heading)


def _numbers(phase: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, value in phase.items() if name != "latencies_ms"}


def _ratio(estimate: Estimate) -> str:
    return f"{_interval(estimate, 3)}, with 95% confidence"


def _interval(estimate: Estimate, decimals: int) -> str:
    value, low, high = (f"{one:,.{decimals}f}" for one in estimate)
    return f"{value} ({low} to {high})"


def _three(part: Mapping[str, Any], name: str, unit: str, decimals: int) -> str:
    return ", ".join(f"{part[f'{name}_{label}_{unit}']:,.{decimals}f}" for label in ("p50", "p99", "max"))


def _counted(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {number:,}" for name, number in numbers.items())


_TABLES: dict[str, Callable[[Mapping[str, Any], Results], dict[str, str]]] = {
    "in_flight": _in_flight,
    "behind": _behind,
    "workers": _workers,
    "breaker": _breaker,
    "telemetry": _telemetry,
    "memory": _memory,
    "burst": _burst,
}
