"""The results as pictures for the docs, drawn from the results alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from trials.bench.buys.tables import Results, Row
from trials.bench.buys.variants import TITLES

_ENDS = {
    "confirmed": ("whole", "#2ca02c"),
    "nothing": ("nothing booked", "#c7c7c7"),
    "half_booked": ("half-booked", "#d62728"),
}
_TWICE = {"held_twice": ("a part held twice", "x"), "charged_twice": ("charged twice", "D")}
_LOADS_THE_SICK = ("all", "backoff", "jitter", "breaker", "probe", "none")
_LINE = "#1f77b4"


def draw(folder: Path, results: Results) -> None:
    """Write mechanisms-outcomes.svg, mechanisms-outage.svg and mechanisms-calm.svg into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, plan = results["rows"], results["about"]["plan"]
    with mpl.rc_context():
        mpl.rc("svg", hashsalt="buys", fonttype="none")
        mpl.rc("axes", grid=True, axisbelow=True)
        mpl.rc("grid", alpha=0.3)
        figures = {"outcomes": _outcomes(rows), "outage": _outage(rows, plan), "calm": _calm(rows)}
        for name, figure in figures.items():
            figure.savefig(folder / f"mechanisms-{name}.svg", metadata={"Date": None}, bbox_inches="tight")


def _titles(rows: Sequence[Row]) -> list[str]:
    return [TITLES[row["variant"]] for row in rows]


def _outcomes(rows: Sequence[Row]) -> Figure:
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    panel = figure.subplots()
    left = [0] * len(rows)
    for name, (label, colour) in _ENDS.items():
        widths = [row["outcomes"][name] for row in rows]
        panel.barh(_titles(rows), widths, left=left, color=colour, label=label)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    for name, (label, marker) in _TWICE.items():
        hit = [(row["outcomes"][name], TITLES[row["variant"]]) for row in rows if row["outcomes"][name]]
        if hit:
            panel.plot(*zip(*hit, strict=True), marker, color="black", label=label)
    panel.invert_yaxis()
    panel.set(title="How the trips of the rough phase stand at their partners", xlabel="trips")
    figure.legend(loc="outside lower center", ncols=5, fontsize=8)
    return figure


def _outage(rows: Sequence[Row], plan: Any) -> Figure:
    found = [row for row in rows if row["variant"] in _LOADS_THE_SICK]
    figure = Figure(figsize=(9, 1.4 * len(found)), layout="constrained")
    panels = figure.subplots(len(found), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    seconds = range(-int(plan["down_s"]), int(plan["rough_s"] - plan["down_s"] + plan["settle_s"] / 2))
    for panel, row in zip(panels, found, strict=True):
        counts = [sum(second <= at < second + 1 for at in row["sick"]["at_s"]) for second in seconds]
        panel.step(seconds, counts, where="post", color=_LINE, linewidth=1.2)
        panel.axvspan(0, row["sick"]["outage_s"], color="black", alpha=0.07)
        panel.axvline(plan["kill_s"] - plan["down_s"], color="#d62728", linewidth=0.8)
        panel.set_title(TITLES[row["variant"]], loc="left", fontsize=10)
    panels[0].set_ylim(bottom=0)
    panels[-1].set_xlabel("seconds since the partner went down; grey: the outage, red: the kill")
    figure.supylabel("calls a second at the sick partner")
    return figure


def _calm(rows: Sequence[Row]) -> Figure:
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    latency, cpu = figure.subplots(1, 2, sharey=True)
    latency.barh(_titles(rows), [row["calm"]["p50_ms"] for row in rows], color="#98df8a", label="p50")
    latency.plot([row["calm"]["p95_ms"] for row in rows], _titles(rows), "|", color="black", label="p95")
    cpu.barh(_titles(rows), [row["calm"]["cpu_ms"] for row in rows], color=_LINE)
    latency.invert_yaxis()
    latency.set(title="All is well: latency of a trip", xlabel="milliseconds")
    latency.legend(loc="lower right")
    cpu.set(title="CPU a trip of the saga's own processes", xlabel="milliseconds")
    return figure
