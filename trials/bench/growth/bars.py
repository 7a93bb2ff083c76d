"""The bars that the figures are held against, and the estimates they are read from. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from trials.bench.contest.bars import Bar
from trials.bench.growth import breaker_off, telemetry_off
from trials.bench.growth.figures import Estimate, percentile_ratio, slope, swapped_ratio
from trials.bench.growth.growth import MANY_BEHIND, NONE_BEHIND, PARTS
from trials.bench.growth.memory import PROCESSES

MOST_P99 = 1.25
MOST_BREAKER_CPU = 1.02
MOST_TELEMETRY_CPU = 1.03
MEMORY_TRIPS = 10_000
"""A shorter run is all warm-up: pools fill, caches grow to their bounds."""

MOST_KB = 200.0
"""Over 50,000 trips these are ten megabytes, a tenth of what a process has when it starts."""

Results = Mapping[str, Any]
"""What `growth.measured` gives, and `results/growth.json` holds."""


def behind_p99(results: Results) -> Estimate:
    """p99 with finished trips behind, beside p99 with none."""
    phases = results["behind"]["side_by_side"]
    many, none = ([one["latencies_ms"] for one in phases[name]] for name in (MANY_BEHIND, NONE_BEHIND))
    return percentile_ratio(many, none, 0.99)


def breaker_cpu(results: Results) -> Estimate:
    """CPU a trip with closed breakers, beside that with none."""
    return _cpu_beside(results["breaker"], breaker_off.ON, breaker_off.OFF)


def telemetry_cpu(results: Results) -> Estimate:
    """CPU a trip with telemetry read every few seconds, beside that with none read."""
    return _cpu_beside(results["telemetry"], telemetry_off.ON, telemetry_off.OFF)


def _cpu_beside(part: Mapping[str, Any], with_it: str, without: str) -> Estimate:
    ours, theirs = ([one["cpu_ms_own"] for one in part["phases"][name]] for name in (with_it, without))
    return swapped_ratio(ours, theirs)


def memory_growth(results: Results) -> dict[str, Estimate]:
    """By process, kB that its resident memory grows in 1,000 trips."""
    samples = results["memory"]["samples"]
    trips, *kilobytes = zip(*samples, strict=True)
    thousands = [number / 1000 for number in trips]
    return {name: slope(thousands, column) for name, column in zip(PROCESSES, kilobytes, strict=True)}


def judged(results: Results) -> list[Bar]:
    """The bars of every part that was run."""
    return [bar for part, bars in _BARS.items() if part in results for bar in bars(results)] + [
        Bar("trips that were not confirmed", len(wrong(results)), 0)
    ]


def wrong(results: Results) -> list[str]:
    """What was the matter with the trips that were not confirmed."""
    return [one for part in PARTS if part in results for one in results[part]["wrong"]]


def _behind(results: Results) -> list[Bar]:
    text = f"p99 with {results['behind']['finished']:,} finished trips behind, beside p99 with none"
    return [Bar(text, behind_p99(results).value, MOST_P99)]


def _breaker(results: Results) -> list[Bar]:
    return [Bar("CPU a trip with closed breakers, beside none", breaker_cpu(results).value, MOST_BREAKER_CPU)]


def _telemetry(results: Results) -> list[Bar]:
    text = "CPU a trip with telemetry read every few seconds, beside none read"
    return [Bar(text, telemetry_cpu(results).value, MOST_TELEMETRY_CPU)]


def _memory(results: Results) -> list[Bar]:
    if results["memory"]["trips"] < MEMORY_TRIPS:
        return []
    return [
        Bar(f"memory of the {name}, kB a 1,000 trips that it surely grows", found.low, MOST_KB)
        for name, found in memory_growth(results).items()
    ]


_BARS: dict[str, Callable[[Results], list[Bar]]] = {
    "behind": _behind,
    "breaker": _breaker,
    "telemetry": _telemetry,
    "memory": _memory,
}
