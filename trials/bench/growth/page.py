"""What growth shows: its bars, its tables, its pictures. Pure: it reads the results alone."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from trials.bench.growth.parts import MANY_BEHIND, NONE_BEHIND, PARTS, PROCESSES
from trials.report import Bar, Column, Report, Results, bar_table, counted, figure_table, measured_on, table
from trials.statistics import Estimate, percentile_ratio, slope, spread

MOST_P99 = 1.25
MEMORY_TRIPS = 10_000
"""A shorter run is all warm-up: pools fill, caches grow to their bounds."""

MOST_KB = 200.0
"""In 1,000 trips. Over 50,000 these are ten megabytes, a tenth of what a process has when it starts."""

LATENCY = (
    Column("p50, ms", "p50_ms"),
    Column("p99, ms", "p99_ms"),
    Column("trips timed", "trips"),
    Column("CPU a trip, ms", "cpu_ms_own", 1),
)
PHASE = (Column("trips a second", "trips_per_s", 1), *LATENCY)
_COLOURS = ("#1f77b4", "#2ca02c", "#9467bd")


def behind_p99(results: Results) -> Estimate:
    phases = results["behind"]["side_by_side"]
    many, none = ([one["latencies_ms"] for one in phases[name]] for name in (MANY_BEHIND, NONE_BEHIND))
    return percentile_ratio(many, none, 0.99)


def memory_growth(results: Results) -> dict[str, Estimate]:
    """By process, kB that its resident memory grows in 1,000 trips."""
    trips, *kilobytes = zip(*results["memory"]["samples"], strict=True)
    thousands = [number / 1000 for number in trips]
    return {name: slope(thousands, column) for name, column in zip(PROCESSES, kilobytes, strict=True)}


def bars(results: Results) -> list[Bar]:
    found = []
    if "behind" in results:
        text = f"p99 with {results['behind']['finished']:,} finished trips behind, beside p99 with none"
        found.append(Bar(text, behind_p99(results).value, MOST_P99))
    if results.get("memory", {}).get("trips", 0) >= MEMORY_TRIPS:
        found += [
            Bar(f"memory of the {name}, kB a 1,000 trips that it surely grows", grown.low, MOST_KB)
            for name, grown in memory_growth(results).items()
        ]
    return [*found, Bar("trips that were not confirmed", len(wrong(results)), 0)]


def wrong(results: Results) -> list[str]:
    return [one for part in PARTS if part in results for one in results[part]["wrong"]]


def tables(results: Results) -> dict[str, str]:
    found = {"run": _run(results), "bars": bar_table(bars(results))}
    for part, made in _TABLES.items():
        if part in results:
            found |= made(results[part], results)
    return found


def _run(results: Results) -> str:
    run = {part.replace("_", " "): results[part] for part in PARTS if part in results}
    loads = ", ".join(f"{name} {part['load']:.1f}" for name, part in run.items())
    quick = ", ".join(name for name, part in run.items() if part.get("is_quick"))
    return (
        f"{measured_on(results['about'])} The machine's load average of the last minute when each part "
        f"began: {loads}." + (f" With `--quick`, which is too short to judge by: {quick}." if quick else "")
    )


def _phases(
    heading: str, phases: Mapping[str, Any], titles: Sequence[str], columns: Sequence[Column] = PHASE
) -> str:
    rows = {title: _spread(phases[name]) for name, title in zip(phases, titles, strict=True)}
    return figure_table(rows, columns, heading)


def _spread(phases: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    names = [column.figure for column in PHASE]
    return spread({name: phase[name] for name in names if name in phase} for phase in phases)


def _in_flight(part: Results, _: Results) -> dict[str, str]:
    return {"in-flight": _phases("in flight", part["phases"], list(part["phases"]))}


def _workers(part: Results, _: Results) -> dict[str, str]:
    return {"workers": _phases("workers", part["phases"], list(part["phases"]))}


def _behind(part: Results, results: Results) -> dict[str, str]:
    heading, titles = "finished trips behind", ["none", f"{part['finished']:,}"]
    aside = _phases(heading, part["side_by_side"], titles, LATENCY)
    ratio = f"{_interval(behind_p99(results), 3)}, with 95% confidence"
    return {
        "behind": _phases(heading, part["phases"], titles),
        "behind-aside": f"{aside}\n\np99, all rounds together, beside none: {ratio}.",
    }


def _memory(part: Results, results: Results) -> dict[str, str]:
    first, last = part["samples"][0][1:], part["samples"][-1][1:]
    rows = (
        (name, f"{start / 1024:.1f}", f"{end / 1024:.1f}", _interval(grows, 0))
        for (name, grows), start, end in zip(memory_growth(results).items(), first, last, strict=True)
    )
    found = table(("", "MB at first", "MB at last", "kB a 1,000 trips, after warm-up"), rows)
    return {"memory": f"{part['trips']:,} trips, {part['in_flight']} in flight:\n\n{found}"}


def _burst(part: Results, _: Results) -> dict[str, str]:
    rows = (
        ("requests", f"{part['trips']:,}"),
        ("answers by status", counted(part["answers"])),
        ("answered a second", f"{part['posts_per_s']:.0f}"),
        ("an answer, p50, p99, at most, ms", _three(part, "post", "ms")),
        ("all trips ended after, s", f"{part['drained_s']:.0f}"),
        ("ended a second", f"{part['trips_per_s']:.1f}"),
        ("from acceptance to the end, p50, p99, at most, s", _three(part, "waited", "s")),
        ("trips by status", counted(part["statuses"])),
    )
    return {"burst": table(("", ""), rows)}


def _interval(estimate: Estimate, decimals: int) -> str:
    value, low, high = (f"{one:,.{decimals}f}" for one in estimate)
    return f"{value} ({low} to {high})"


def _three(part: Results, name: str, unit: str) -> str:
    return ", ".join(f"{part[f'{name}_{label}_{unit}']:,.0f}" for label in ("p50", "p99", "max"))


_TABLES: dict[str, Callable[[Results, Results], dict[str, str]]] = {
    "in_flight": _in_flight,
    "behind": _behind,
    "workers": _workers,
    "memory": _memory,
    "burst": _burst,
}


def pictures(results: Results) -> dict[str, Callable[[], Figure]]:
    return {
        f"growth-{part.replace('_', '-')}": partial(paint, results[part])
        for part, paint in _PAINTERS.items()
        if part in results
    }


def _draw_in_flight(part: Results) -> Figure:
    figure = Figure(figsize=(9, 3), layout="constrained")
    rate, latency = figure.subplots(1, 2)
    phases = {int(name): rounds[0] for name, rounds in part["phases"].items()}
    rate.plot(list(phases), [one["trips_per_s"] for one in phases.values()], "o-", color=_COLOURS[0])
    rate.set(title="Trips a second", xscale="log", xlabel="trips in flight", ylim=(0, None))
    for share, colour in zip(("p50", "p99"), _COLOURS, strict=False):
        values = [one[f"{share}_ms"] / 1000 for one in phases.values()]
        latency.plot(list(phases), values, "o-", color=colour, label=share)
    latency.set(title="Latency, seconds", xscale="log", yscale="log", xlabel="trips in flight")
    latency.legend()
    for axis in (rate.xaxis, latency.xaxis, latency.yaxis):
        _write_plainly(axis)
    return figure


def _write_plainly(axis: Axis) -> None:
    axis.set_major_formatter("{x:,g}")
    axis.set_minor_formatter(NullFormatter())


def _draw_behind(part: Results) -> Figure:
    lines = {}
    for name, title in ((NONE_BEHIND, "none behind"), (MANY_BEHIND, f"{part['finished']:,} behind")):
        values = sorted(one for phase in part["side_by_side"][name] for one in phase["latencies_ms"])
        lines[title] = (values, [1 - place / len(values) for place in range(len(values))])
    figure = _lines(lines, "steps-post")
    (panel,) = figure.axes
    panel.set(title="Share of trips that take longer", xlabel="milliseconds", yscale="log")
    _write_plainly(panel.yaxis)
    return figure


def _draw_workers(part: Results) -> Figure:
    figure = Figure(figsize=(9, 2.4), layout="constrained")
    found = {name: _spread(rounds) for name, rounds in part["phases"].items()}
    names = {"trips_per_s": "Trips a second", "cpu_ms_own": "CPU a trip, ms"}
    for panel, (name, title) in zip(figure.subplots(1, 2), names.items(), strict=True):
        panel.bar(list(found), [one[name].median for one in found.values()], color=_COLOURS[0])
        panel.set(title=title, xlabel="workers")
    return figure


def _draw_memory(part: Results) -> Figure:
    trips, *columns = zip(*part["samples"], strict=True)
    lines = {name: (trips, [one / 1024 for one in kb]) for name, kb in zip(PROCESSES, columns, strict=True)}
    figure = _lines(lines)
    figure.axes[0].set(title="Resident memory, MB", xlabel="trips", ylim=(0, None))
    return figure


def _draw_burst(part: Results) -> Figure:
    seconds, *columns = zip(*part["looks"], strict=True)
    titles = ("answered", "start owed", "ended")
    figure = _lines({title: (seconds, values) for title, values in zip(titles, columns, strict=True)})
    figure.axes[0].set(title="Trips of the burst", xlabel="seconds since the first request", ylim=(0, None))
    return figure


def _lines(
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], drawstyle: str = "default"
) -> Figure:
    figure = Figure(figsize=(9, 3), layout="constrained")
    panel = figure.subplots()
    for (label, (xs, ys)), colour in zip(lines.items(), _COLOURS, strict=False):
        panel.plot(xs, ys, color=colour, label=label, drawstyle=drawstyle)
    panel.legend()
    return figure


_PAINTERS: dict[str, Callable[[Results], Figure]] = {
    "in_flight": _draw_in_flight,
    "behind": _draw_behind,
    "workers": _draw_workers,
    "memory": _draw_memory,
    "burst": _draw_burst,
}

REPORT = Report("growth", Path("docs/growth.md"), tables, pictures, bars, wrong)
