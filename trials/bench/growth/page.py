"""What growth shows: its bars, its tables, its pictures."""

from pathlib import Path

from trials.bench.bench import Bench, wrong
from trials.bench.drawing import Figure, lines, panels
from trials.bench.growth import parts
from trials.report import Bar, Column, Results, bar_table, counted, figure_table, measured_on, table
from trials.statistics import Estimate, slope

MEMORY_TRIPS = 10_000
"""A shorter run is all warm-up: pools fill, caches grow to their bounds."""

MOST_KB = 200.0
"""In 1,000 trips. Over 50,000 these are ten megabytes, a tenth of what a process has when it starts."""

LATENCY = (Column("p50, ms", "p50_ms"), Column("p99, ms", "p99_ms"))
PHASE = (
    Column("trips a second", "trips_per_s", 1),
    *LATENCY,
    Column("trips timed", "trips"),
    Column("CPU a trip, ms", "cpu_ms_own", 1),
)


def memory_growth(results: Results) -> dict[str, Estimate]:
    """By process, kB that its resident memory grows in 1,000 trips."""
    trips, *kilobytes = zip(*results["memory"]["samples"], strict=True)
    thousands = [number / 1000 for number in trips]
    return {name: slope(thousands, column) for name, column in zip(parts.PROCESSES, kilobytes, strict=True)}


def bars(results: Results) -> list[Bar]:
    found = []
    if results.get("memory", {}).get("trips", 0) >= MEMORY_TRIPS:
        found += [
            Bar(f"memory of the {name}, kB a 1,000 trips that it surely grows", grown.low, MOST_KB)
            for name, grown in memory_growth(results).items()
        ]
    return [*found, Bar("trips that were not confirmed", len(wrong(results)), 0)]


def tables(results: Results) -> dict[str, str]:
    loads = {part.replace("_", " "): found["about"]["load"] for part, found in results.items()}
    shown = ", ".join(f"{part} {load:.1f}" for part, load in loads.items())
    last = list(results.values())[-1]["about"]
    run = f"{measured_on(last)} The machine's load average of the last minute when each part began: {shown}."
    found = {"run": run, "bars": bar_table(bars(results))}
    if part := results.get("in_flight"):
        found["in-flight"] = figure_table(part["phases"], PHASE, "in flight")
    if "memory" in results:
        found["memory"] = _memory(results)
    if part := results.get("burst"):
        found["burst"] = _burst(part)
    return found


def _memory(results: Results) -> str:
    part = results["memory"]
    first, last = part["samples"][0][1:], part["samples"][-1][1:]
    rows = (
        (name, f"{start / 1024:.1f}", f"{end / 1024:.1f}", "{:,.0f} ({:,.0f} to {:,.0f})".format(*grows))
        for (name, grows), start, end in zip(memory_growth(results).items(), first, last, strict=True)
    )
    found = table(("", "MB at first", "MB at last", "kB a 1,000 trips, after warm-up"), rows)
    return f"{part['trips']:,} trips, {part['in_flight']} in flight:\n\n{found}"


def _burst(part: Results) -> str:
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
    return table(("", ""), rows)


def _three(part: Results, name: str, unit: str) -> str:
    return ", ".join(f"{part[f'{name}_{label}_{unit}']:,.0f}" for label in ("p50", "p99", "max"))


def pictures(results: Results) -> dict[str, Figure]:
    found = {}
    if part := results.get("in_flight"):
        found["growth-in-flight"], (rate, latency) = panels(3, 1, 2)
        trips, phases = [int(number) for number in part["phases"]], part["phases"].values()
        rates = {"": (trips, [one["trips_per_s"] for one in phases])}
        axes = {"xscale": "log", "xlabel": "trips in flight"}
        lines(rate, rates, "o-", title="Trips a second", ylim=(0, None), **axes)
        shares = {name: (trips, [one[f"{name}_ms"] / 1000 for one in phases]) for name in ("p50", "p99")}
        lines(latency, shares, "o-", title="Latency, seconds", yscale="log", **axes)
    if part := results.get("memory"):
        found["growth-memory"], (panel,) = panels(3)
        booked, *columns = zip(*part["samples"], strict=True)
        named = zip(parts.PROCESSES, columns, strict=True)
        resident = {name: (booked, [one / 1024 for one in kb]) for name, kb in named}
        lines(panel, resident, title="Resident memory, MB", xlabel="trips", ylim=(0, None))
    if part := results.get("burst"):
        found["growth-burst"], (panel,) = panels(3)
        seconds, *columns = zip(*part["looks"], strict=True)
        titles = ("answered", "start owed", "ended")
        looks = {title: (seconds, values) for title, values in zip(titles, columns, strict=True)}
        since = "seconds since the first request"
        lines(panel, looks, title="Trips of the burst", xlabel=since, ylim=(0, None))
    return found


GROWTH = Bench(
    "growth",
    "more trips in flight, a long run, a burst: about ten minutes",
    Path("docs/growth.md"),
    parts.Plan(),
    parts.QUICK,
    {
        "in_flight": parts.in_flight,
        "memory": parts.memory,
        "burst": parts.all_at_once,
    },
    tables,
    bars,
    pictures,
)
