"""`python -m trials.bench.backoff`: run both simulations, print tables, write `results/backoff-*.json`."""

import argparse
import json
from pathlib import Path
from typing import Any

from trials.bench.backoff import contention, herd, pictures, reference

RESULTS = Path("results")
PICTURES = Path("docs/pictures")
HERD_TRIALS = 10


def _against(value: float, expected: float) -> str:
    return f"{value:,.0f} ({value / expected - 1:+.1%})"


def contention_rows(trials: int, seed: int) -> list[dict[str, Any]]:
    """One row a strategy and number of clients, with the reference beside it.

    Below 100 clients single runs differ more and cost less, so there are more of them.
    """
    rows = []
    for clients in contention.CLIENTS:
        runs = trials * max(1, 100 // clients)
        for strategy, expected in reference.CONTENTION[clients].items():
            got = contention.average(clients, strategy, runs, seed)
            row = {"clients": clients, "strategy": strategy, **got._asdict()}
            rows.append(row | {f"reference_{name}": value for name, value in expected._asdict().items()})
    return rows


def herd_rows(trials: int, seed: int) -> list[dict[str, Any]]:
    """One row a strategy; the reference is None for decorrelated jitter, for which none is known."""
    rows = []
    for strategy in herd.STRATEGIES:
        got = herd.average(strategy, trials, seed)
        calls, last = reference.HERD.get(strategy, (None, None))
        row = {"strategy": strategy, "calls_a_client": got.calls_a_client, "last_done_s": got.last_done_s}
        rows.append(row | {"reference_calls_a_client": calls, "reference_last_done_s": last})
    return rows


def _print_contention(rows: list[dict[str, Any]]) -> None:
    print("| clients | strategy | completion, ms | writes |\n| ---: | --- | ---: | ---: |")
    for row in rows:
        completion = _against(row["completion_ms"], row["reference_completion_ms"])
        writes = _against(row["writes"], row["reference_writes"])
        print(f"| {row['clients']} | {row['strategy']} | {completion} | {writes} |")


def _print_herd(rows: list[dict[str, Any]]) -> None:
    print("\n| strategy | calls a client | last done, s | known |\n| --- | ---: | ---: | --- |")
    for row in rows:
        calls, last = row["reference_calls_a_client"], row["reference_last_done_s"]
        known = f"{calls}, {last} s" if calls else "–"
        print(f"| {row['strategy']} | {row['calls_a_client']:.1f} | {row['last_done_s']:.1f} | {known} |")


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(prog="python -m trials.bench.backoff", description=__doc__)
    parser.add_argument("--trials", type=int, default=100, help="runs a figure at 100 clients and more")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pictures", action="store_true", help=f"draw {PICTURES}/backoff-*.svg too")
    args = parser.parse_args()
    tables = {
        "contention": contention_rows(args.trials, args.seed),
        "herd": herd_rows(min(args.trials, HERD_TRIALS), args.seed),
    }
    _print_contention(tables["contention"])
    _print_herd(tables["herd"])
    RESULTS.mkdir(exist_ok=True)
    for name, rows in tables.items():
        (RESULTS / f"backoff-{name}.json").write_text(json.dumps(rows, indent=1) + "\n")
    if args.pictures:
        pictures.draw(PICTURES, args.seed)


if __name__ == "__main__":
    main()
