"""The results as pictures for the docs, drawn from the results alone."""

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from trials.bench.contest.figures import spread
from trials.bench.growth.bars import Results
from trials.bench.growth.growth import MANY_BEHIND, NONE_BEHIND
from trials.bench.growth.memory import PROCESSES

_COLOURS = ("#1f77b4", "#2ca02c", "#9467bd")


def draw(folder: Path, results: Results) -> None:
    """Write a growth-*.svg into `folder` for each picture whose part was run."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context():
        mpl.rc("svg", hashsalt="growth", fonttype="none")
        mpl.rc("axes", grid=True, axisbelow=True)
        mpl.rc("grid", alpha=0.3)
        for part, painter in _PAINTERS.items():
            if part in results:
                name = f"growth-{part.replace('_', '-')}.svg"
                painter(results).savefig(folder / name, metadata={"Date": None}, bbox_inches="tight")


def _in_flight(results: Results) -> Figure:
    figure = Figure(figsize=(9, 3), layout="constrained")
    rate, latency = figure.subplots(1, 2)
    phases = {int(name): rounds[0] for name, rounds in results["in_flight"]["phases"].items()}
    rate.plot(list(phases), [one["trips_per_s"] for one in phases.values()], "o-", color=_COLOURS[0])
    rate.set(title="Trips a second", xscale="log", xlabel="trips in flight", ylim=(0, None))
    for share, colour in zip((50, 99), _COLOURS, strict=False):
        values = [one[f"p{share}_ms"] / 1000 for one in phases.values()]
        latency.plot(list(phases), values, "o-", color=colour, label=f"p{share}")
    latency.set(title="Latency, seconds", xscale="log", yscale="log", xlabel="trips in flight")
    latency.legend()
    for axis in (rate.xaxis, latency.xaxis, latency.yaxis):
        _write_plainly(axis)
    return figure


def _write_plainly(axis: Axis) -> None:
    """Numbers on a logarithmic axis without exponents."""
    axis.set_major_formatter("{x:,g}")
    axis.set_minor_formatter(NullFormatter())


def _behind(results: Results) -> Figure:
    figure = Figure(figsize=(9, 3), layout="constrained")
    panel = figure.subplots()
    titles = {NONE_BEHIND: "none behind", MANY_BEHIND: f"{results['behind']['finished']:,} behind"}
    for (name, title), colour in zip(titles.items(), _COLOURS, strict=False):
        phases = results["behind"]["side_by_side"][name]
        values = sorted(one for phase in phases for one in phase["latencies_ms"])
        above = [1 - place / len(values) for place in range(len(values))]
        panel.step(values, above, where="post", color=colour, label=title)
    panel.set(title="Share of trips that take longer", xlabel="milliseconds", yscale="log")
    _write_plainly(panel.yaxis)
    panel.legend()
    return figure


def _workers(results: Results) -> Figure:
    figure = Figure(figsize=(9, 2.4), layout="constrained")
    rate, cpu = figure.subplots(1, 2)
    found = {name: spread(map(_rates, rounds)) for name, rounds in results["workers"]["phases"].items()}
    for panel, figure_name, title in (
        (rate, "trips_per_s", "Trips a second"),
        (cpu, "cpu_ms_own", "CPU a trip, ms"),
    ):
        panel.bar(list(found), [one[figure_name].median for one in found.values()], color=_COLOURS[0])
        panel.set(title=title, xlabel="workers")
    return figure


def _rates(phase: dict[str, float]) -> dict[str, float]:
    return {name: phase[name] for name in ("trips_per_s", "cpu_ms_own")}


def _memory(results: Results) -> Figure:
    figure = Figure(figsize=(9, 3), layout="constrained")
    panel = figure.subplots()
    trips, *columns = zip(*results["memory"]["samples"], strict=True)
    for name, kilobytes, colour in zip(PROCESSES, columns, _COLOURS, strict=False):
        panel.plot(trips, [one / 1024 for one in kilobytes], color=colour, label=name)
    panel.set(title="Resident memory, MB", xlabel="trips", ylim=(0, None))
    panel.legend()
    return figure


def _burst(results: Results) -> Figure:
    figure = Figure(figsize=(9, 3), layout="constrained")
    panel = figure.subplots()
    seconds, *columns = zip(*results["burst"]["looks"], strict=True)
    titles = ("answered", "start owed", "ended")
    for title, values, colour in zip(titles, columns, _COLOURS, strict=True):
        panel.plot(seconds, values, color=colour, label=title)
    panel.set(title="Trips of the burst", xlabel="seconds since the first request", ylim=(0, None))
    panel.legend()
    return figure


_PAINTERS: dict[str, Callable[[Results], Figure]] = {
    "in_flight": _in_flight,
    "behind": _behind,
    "workers": _workers,
    "memory": _memory,
    "burst": _burst,
}
