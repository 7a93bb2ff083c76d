"""The measured herd and the measured delays as pictures for the docs, drawn from the results alone."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from guard.backoff import BackoffPolicy, bound
from trials.bench.guard import delays, herd

_COLOURS = ("#7f7f7f", "#d62728", "#2ca02c", "#1f77b4")
_BINS = 20


def draw(folder: Path, results: dict[str, Any]) -> None:
    """Write guard-herd.svg and guard-delays.svg into `folder`, as far as `results` has their figures."""
    folder.mkdir(parents=True, exist_ok=True)
    painters = {"herd": _herd, "delays": _delays}
    with mpl.rc_context():
        mpl.rc("svg", hashsalt="guard", fonttype="none")
        mpl.rc("axes", grid=True)
        mpl.rc("grid", alpha=0.3)
        for name in painters.keys() & results.keys():
            figure = painters[name](results[name])
            figure.savefig(folder / f"guard-{name}.svg", metadata={"Date": None}, bbox_inches="tight")


def _herd(rows: list[dict[str, Any]]) -> Figure:
    figure = Figure(figsize=(9, 1.7 * len(rows)), layout="constrained")
    panels = figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0]
    seconds = range(-int(herd.BEFORE_S), int(herd.OUTAGE_S + herd.AFTER_S))
    for panel, row, colour in zip(panels, rows, _COLOURS, strict=False):
        counts = [sum(second <= moment < second + 1 for moment in row["at_s"]) for second in seconds]
        panel.step(seconds, counts, where="post", color=colour, linewidth=1.2)
        panel.axvspan(0, herd.OUTAGE_S, color="black", alpha=0.07)
        panel.axhline(row["steady_per_s"], color="black", linewidth=0.8, linestyle="dotted")
        panel.set_title(row["guard"], loc="left", fontsize=10)
        panel.set_ylim(bottom=0)
    panels[-1].set_xlabel("seconds since the partner went down")
    figure.supylabel("calls a second at the partner")
    return figure


def _delays(rows: list[dict[str, Any]]) -> Figure:
    figure = Figure(figsize=(9, 2.6), layout="constrained")
    for panel, row in zip(figure.subplots(1, len(rows), sharey=True), rows, strict=True):
        policy = BackoffPolicy(base_s=delays.BASE_S, cap_s=delays.CAP_S, jitter=row["jitter"])
        shares = [one / bound(policy, n) for call in row["measured_s"] for n, one in enumerate(call)]
        panel.hist(shares, bins=_BINS, range=(0, 1), color=_COLOURS[3])
        panel.set_title(f"{row['jitter']} jitter, p = {row['p']:.2f}", loc="left", fontsize=10)
        panel.set_xlabel("delay as a share of its bound")
    figure.supylabel("retries")
    return figure
