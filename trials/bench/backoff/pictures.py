"""The simulations as pictures for the docs; the same seed draws the same bytes."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from trials.bench.backoff import contention, herd

CLIENTS = range(10, 200, 20)
TRIALS = 20
HERD_SHOWN_S = 45
# Where a logarithmic axis shows none.
_NO_CALLS = 0.8
_COLOURS = {
    "none": "#7f7f7f",
    "fixed": "#7f7f7f",
    "exponential": "#d62728",
    "equal": "#1f77b4",
    "full": "#2ca02c",
    "decorrelated": "#9467bd",
}


def draw(folder: Path, seed: int) -> None:
    """Write backoff-contention.svg and backoff-herd.svg into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context():
        mpl.rc("svg", hashsalt="backoff", fonttype="none")
        mpl.rc("axes", grid=True)
        mpl.rc("grid", alpha=0.3)
        for name, figure in (("contention", _contention(seed)), ("herd", _herd(seed))):
            figure.savefig(folder / f"backoff-{name}.svg", metadata={"Date": None}, bbox_inches="tight")


def _contention(seed: int) -> Figure:
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    time, writes = figure.subplots(1, 2)
    for strategy in contention.STRATEGIES:
        runs = [contention.average(clients, strategy, TRIALS, seed) for clients in CLIENTS]
        style = {"label": strategy, "color": _COLOURS[strategy]}
        time.plot(CLIENTS, [run.completion_ms / 1000 for run in runs], **style)
        writes.plot(CLIENTS, [run.writes for run in runs], **style)
    time.set(title="Until the last client is done", xlabel="clients", ylabel="seconds", yscale="log")
    writes.set(title="Writes it takes", xlabel="clients", ylabel="writes", yscale="log")
    writes.legend(loc="lower right")
    return figure


def _herd(seed: int) -> Figure:
    figure = Figure(figsize=(9, 7.5), layout="constrained")
    panels = figure.subplots(len(herd.STRATEGIES), 1, sharex=True)
    for panel, strategy in zip(panels, herd.STRATEGIES, strict=True):
        calls = herd.average(strategy, 1, seed).calls_by_slot
        slots = range(int(HERD_SHOWN_S / herd.SLOT_S))
        seconds = [slot * herd.SLOT_S for slot in slots]
        counts = [max(_NO_CALLS, calls.get(slot, 0)) for slot in slots]
        panel.plot(seconds, counts, color=_COLOURS[strategy], linewidth=1, drawstyle="steps-post")
        panel.axvline(herd.OUTAGE_S, color="black", linewidth=0.8)
        panel.axhline(herd.CALLS_A_SLOT, color="black", linewidth=0.8, linestyle="dotted")
        panel.set(ylabel=strategy, yscale="log", ylim=(_NO_CALLS, 2 * herd.CLIENTS))
    panels[0].set_title("Calls that reach the partner each 100 ms; up from 20 s; dotted: what it takes")
    panels[-1].set_xlabel("seconds")
    return figure
