"""The results as pictures for the docs, drawn from the results alone."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from trials.bench.contest import cpu
from trials.bench.contest.bars import Results
from trials.bench.contest.contestants import CONTESTANTS
from trials.bench.contest.figures import Spread, spread

_GROUPS = {
    cpu.TEMPORAL: "#1f77b4",
    cpu.WORKER: "#2ca02c",
    cpu.API: "#98df8a",
    cpu.POSTGRES: "#9467bd",
    cpu.PARTNERS: "#c7c7c7",
    cpu.ENGINES: "#e3e3e3",
}
_LOADS = {"alone": "#98df8a", "low": "#2ca02c", "high": "#1f77b4"}
_LABELS = {"alone": "one at a time", "low": "at 30%", "high": "at 80% of saturation"}
_BAR = 0.26
_NONE = Spread(0, 0, 0)

Spreads = list[tuple[str, dict[str, Spread]]]


def draw(folder: Path, results: Results) -> None:
    """Write contest-cpu.svg and contest-speed.svg into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    # The first contestant stands at the top.
    found = [(one.title, spread(results["rounds"][one.name])) for one in reversed(CONTESTANTS)]
    with mpl.rc_context():
        mpl.rc("svg", hashsalt="contest", fonttype="none")
        mpl.rc("axes", grid=True, axisbelow=True)
        mpl.rc("grid", alpha=0.3)
        for name, figure in (("cpu", _cpu(found)), ("speed", _speed(found))):
            figure.savefig(folder / f"contest-{name}.svg", metadata={"Date": None}, bbox_inches="tight")


def _cpu(found: Spreads) -> Figure:
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    panel = figure.subplots()
    left = [0.0] * len(found)
    for group, colour in _GROUPS.items():
        widths = [figures[f"cpu_ms_{group}"].median for _, figures in found]
        panel.barh([title for title, _ in found], widths, left=left, color=colour, label=group)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    panel.set(title="CPU a trip, at saturation", xlabel="milliseconds")
    panel.legend(loc="lower right")
    return figure


def _speed(found: Spreads) -> Figure:
    figure = Figure(figsize=(9, 4), layout="constrained")
    rate, latency = figure.subplots(1, 2, sharey=True)
    places = range(len(found))
    rates = [figures["trips_per_s"] for _, figures in found]
    rate.barh(places, [one.median for one in rates], xerr=_reach(rates), color="#1f77b4", height=0.6)
    rate.set(title="Trips a second at saturation", xlabel="trips a second")
    rate.set_yticks(places, [title for title, _ in found])
    for row, (load, colour) in enumerate(_LOADS.items()):
        at = [place + _BAR * (1 - row) for place in places]
        middles = [figures.get(f"{load}_p50_ms", _NONE).median for _, figures in found]
        slowest = [figures.get(f"{load}_p99_ms", _NONE).median for _, figures in found]
        latency.barh(at, middles, height=_BAR, color=colour, label=_LABELS[load])
        latency.plot(slowest, at, "|", color="black", label="p99" if row == 0 else None)
    latency.set(title="Latency: p50, and p99", xlabel="milliseconds")
    figure.legend(loc="outside lower right", ncols=4, fontsize=8)
    return figure


def _reach(spreads: list[Spread]) -> Any:
    """How far each lowest and highest figure is from its median, as matplotlib takes it."""
    return [[one.median - one.low for one in spreads], [one.high - one.median for one in spreads]]
