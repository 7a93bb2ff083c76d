"""`python -m trials.bench.backoff`: run both simulations, print tables, write `results/backoff-*.json`."""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

from matplotlib.figure import Figure

from trials.bench.backoff import contention, herd, reference
from trials.report import NONE, PICTURES, draw, save_results, table

HERD_TRIALS = 10
SHOWN_CLIENTS = range(10, 200, 20)
SHOWN_TRIALS = 20
HERD_SHOWN_S = 45
NO_CALLS = 0.8
"""Where a logarithmic axis shows none."""

_COLOURS = {
    "none": "#7f7f7f",
    "fixed": "#7f7f7f",
    "exponential": "#d62728",
    "equal": "#1f77b4",
    "full": "#2ca02c",
    "decorrelated": "#9467bd",
}


def contention_rows(trials: int, seed: int) -> list[dict[str, Any]]:
    """A row for each strategy and number of clients.

    Below 100 clients single runs differ more and cost less, so there are more of them.
    """
    return [
        {
            "clients": clients,
            "strategy": strategy,
            "found": contention.average(clients, strategy, trials * max(1, 100 // clients), seed),
            "reference": known[clients],
        }
        for clients in contention.CLIENTS
        for strategy, known in reference.CONTENTION.items()
    ]


def contention_table(rows: list[dict[str, Any]]) -> str:
    """As in docs/backoff.md, with how far each figure is from the reference."""

    def beside(row: dict[str, Any], place: int) -> str:
        found, known = row["found"][place], row["reference"][place]
        return f"{found:,.0f} ({found / known - 1:+.1%})"

    shown = ((row["clients"], row["strategy"], beside(row, 0), beside(row, 1)) for row in rows)
    return table(("clients", "strategy", "completion, ms", "writes"), shown)


def herd_rows(trials: int, seed: int) -> list[dict[str, Any]]:
    """A row for each strategy; the reference is None if none is known."""
    runs = {strategy: herd.average(strategy, trials, seed) for strategy in herd.STRATEGIES}
    return [
        {"strategy": strategy, "found": run[:2], "reference": reference.HERD.get(strategy)}
        for strategy, run in runs.items()
    ]


def herd_table(rows: list[dict[str, Any]]) -> str:
    shown = (
        (
            row["strategy"],
            *(f"{figure:.1f}" for figure in row["found"]),
            "{}, {} s".format(*row["reference"]) if row["reference"] else NONE,
        )
        for row in rows
    )
    return table(("strategy", "calls a client", "last done, s", "known"), shown)


def pictures(seed: int) -> dict[str, Callable[[], Figure]]:
    return {"backoff-contention": partial(_contention, seed), "backoff-herd": partial(_herd, seed)}


def _contention(seed: int) -> Figure:
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    time, writes = figure.subplots(1, 2)
    for strategy in contention.STRATEGIES:
        runs = [contention.average(clients, strategy, SHOWN_TRIALS, seed) for clients in SHOWN_CLIENTS]
        style = {"label": strategy, "color": _COLOURS[strategy]}
        time.plot(SHOWN_CLIENTS, [run.completion_ms / 1000 for run in runs], **style)
        writes.plot(SHOWN_CLIENTS, [run.writes for run in runs], **style)
    time.set(title="Until the last client is done", xlabel="clients", ylabel="seconds", yscale="log")
    writes.set(title="Writes it takes", xlabel="clients", ylabel="writes", yscale="log")
    writes.legend(loc="lower right")
    return figure


def _herd(seed: int) -> Figure:
    figure = Figure(figsize=(9, 7.5), layout="constrained")
    panels = figure.subplots(len(herd.STRATEGIES), 1, sharex=True)
    slots = range(int(HERD_SHOWN_S / herd.SLOT_S))
    seconds = [slot * herd.SLOT_S for slot in slots]
    for panel, strategy in zip(panels, herd.STRATEGIES, strict=True):
        calls = herd.average(strategy, 1, seed).calls_by_slot
        counts = [max(NO_CALLS, calls.get(slot, 0)) for slot in slots]
        panel.plot(seconds, counts, color=_COLOURS[strategy], linewidth=1, drawstyle="steps-post")
        panel.axvline(herd.OUTAGE_S, color="black", linewidth=0.8)
        panel.axhline(herd.CALLS_A_SLOT, color="black", linewidth=0.8, linestyle="dotted")
        panel.set(ylabel=strategy, yscale="log", ylim=(NO_CALLS, 2 * herd.CLIENTS))
    panels[0].set_title("Calls that reach the partner each 100 ms; up from 20 s; dotted: what it takes")
    panels[-1].set_xlabel("seconds")
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m trials.bench.backoff", description=__doc__)
    parser.add_argument("--trials", type=int, default=100, help="runs a figure at 100 clients and more")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pictures", action="store_true", help=f"draw {PICTURES}/backoff-*.svg too")
    arguments = parser.parse_args()
    contended = contention_rows(arguments.trials, arguments.seed)
    stampeded = herd_rows(min(arguments.trials, HERD_TRIALS), arguments.seed)
    print(f"{contention_table(contended)}\n\n{herd_table(stampeded)}")
    save_results("backoff-contention", contended)
    save_results("backoff-herd", stampeded)
    if arguments.pictures:
        draw(PICTURES, pictures(arguments.seed))


if __name__ == "__main__":
    main()
