"""What the two simulations show beside the figures that are known for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trials.bench.backoff import contention, herd, reference
from trials.bench.bench import Bench
from trials.bench.drawing import BLUE, GREEN, GREY, PURPLE, RED, Figure, lines, panels
from trials.report import NONE, Bar, Results, table

HERD_TRIALS = 10
HERD_SHOWN_S = 45
NO_CALLS = 0.8
"""A logarithmic axis shows none here."""

MOST_OFF = 0.1
COLOURS = (GREY, RED, BLUE, GREEN, PURPLE)
"""Of the strategies, which stand in the same order in both simulations."""


@dataclass(frozen=True)
class Plan:
    """`trials` is the number of runs of each figure at 100 clients and more."""

    trials: int = 100
    seed: int = 1


async def _contention(plan: Plan) -> Results:
    """Completion in ms and writes, by clients and strategy.

    Below 100 clients single runs differ more and cost less, so there are more of them.
    """
    return {
        "found": {
            str(clients): {
                strategy: contention.average(
                    clients, strategy, plan.trials * max(1, 100 // clients), plan.seed
                )
                for strategy in contention.STRATEGIES
            }
            for clients in contention.CLIENTS
        }
    }


async def _herd(plan: Plan) -> Results:
    trials = min(plan.trials, HERD_TRIALS)
    found = {strategy: herd.average(strategy, trials, plan.seed) for strategy in herd.STRATEGIES}
    return {"found": {strategy: run._asdict() for strategy, run in found.items()}}


def tables(results: Results) -> dict[str, str]:
    found = {}
    if part := results.get("contention"):
        rows = (
            row for clients in contention.CLIENTS for row in _beside(clients, part["found"][str(clients)])
        )
        found["contention"] = table(("clients", "", *contention.STRATEGIES), rows)
    if part := results.get("herd"):
        known = {name: "{}, {} s".format(*figures) for name, figures in reference.HERD.items()}
        shown = (
            (name, f"{run['calls_a_client']:.1f}", f"{run['last_done_s']:.1f}", known.get(name, NONE))
            for name, run in part["found"].items()
        )
        found["herd"] = table(("strategy", "calls a client", "last done, s", "known"), shown)
    return found


def _beside(clients: int, found: dict[str, Sequence[float]]) -> list[tuple[object, ...]]:
    known = [reference.CONTENTION[strategy][clients] for strategy in contention.STRATEGIES]
    whose = "published" if clients == reference.PUBLISHED_CLIENTS else "reference"
    ours, theirs = (
        [f"{completion_ms:,.0f} / {writes:,.0f}" for completion_ms, writes in rows]
        for rows in (found.values(), known)
    )
    return [(clients, "ours", *ours), ("", whose, *theirs)]


def bars(results: Results) -> list[Bar]:
    found = results.get("contention", {"found": {}})["found"]
    off = [
        abs(ours / theirs - 1)
        for clients, strategies in found.items()
        for strategy, figures in strategies.items()
        for ours, theirs in zip(figures, reference.CONTENTION[strategy][int(clients)], strict=True)
    ]
    return [Bar("contention: the most that a figure is off its reference", max(off, default=0.0), MOST_OFF)]


def pictures(results: Results) -> dict[str, Figure]:
    found = {}
    if part := results.get("contention"):
        found["backoff-contention"], (time, writes) = panels(3.6, 1, 2)
        for panel, place, scale, title in (
            (time, 0, 1000, "Seconds until the last client is done"),
            (writes, 1, 1, "Writes it takes"),
        ):
            curves = {
                strategy: (
                    contention.CLIENTS,
                    [part["found"][str(clients)][strategy][place] / scale for clients in contention.CLIENTS],
                )
                for strategy in contention.STRATEGIES
            }
            lines(panel, curves, "o-", COLOURS, title=title, xlabel="clients", yscale="log")
        time.get_legend().remove()
    if part := results.get("herd"):
        figure, below = panels(7.5, len(part["found"]), sharex=True)
        slots = range(int(HERD_SHOWN_S / herd.SLOT_S))
        for panel, (strategy, run), colour in zip(below, part["found"].items(), COLOURS, strict=True):
            calls = [max(NO_CALLS, run["calls_by_slot"].get(str(slot), 0)) for slot in slots]
            panel.step([slot * herd.SLOT_S for slot in slots], calls, color=colour, where="post")
            panel.axvline(herd.OUTAGE_S, color="black", linewidth=0.8)
            panel.axhline(herd.CALLS_A_SLOT, color="black", linewidth=0.8, linestyle="dotted")
            panel.set(ylabel=strategy, yscale="log", ylim=(NO_CALLS, 2 * herd.CLIENTS))
        below[0].set_title("Calls that reach the partner each 100 ms; up from 20 s; dotted: what it takes")
        below[-1].set_xlabel("seconds")
        found["backoff-herd"] = figure
    return found


BACKOFF = Bench(
    "backoff",
    "simulations: clients that contend for one row, and a booking herd; half a minute",
    Path("docs/backoff.md"),
    Plan(),
    Plan(trials=5),
    {"contention": _contention, "herd": _herd},
    tables,
    bars,
    pictures,
)
