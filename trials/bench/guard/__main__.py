"""`python -m trials.bench.guard`: run the measurements, print their tables, write `results/guard-*.json`.

Takes about ten minutes. Exits 1 where a bar is missed.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trials.bench import breaker_cost
from trials.bench.guard import delays, fleet, herd, pictures

RESULTS = Path("results")
PICTURES = Path("docs/pictures")
LOWEST_P = 0.01


def _delays() -> list[dict[str, Any]]:
    rows = delays.measure()
    print("| jitter | retries | statistic | p | dispatch, p50 | mean | max |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        late = " | ".join(f"{1000 * row[f'dispatch_{name}_s']:.0f} ms" for name in ("p50", "mean", "max"))
        print(f"| {row['jitter']} | {row['retries']} | {row['statistic']:.3f} | {row['p']:.3f} | {late} |")
    return rows


def _herd() -> list[dict[str, Any]]:
    window = f"{1000 * herd.WINDOW_S:.0f} ms"
    print(
        f"| guard | in the outage | {herd.SOON_S:g} s after | steady, 1/s | busiest {window} before | after |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    rows = []
    for guard in herd.GUARDS:
        row = herd.measure(guard)
        print(f"| {row['guard']} | {row['calls_in_outage']} | {row['calls_soon_after']} ", end="")
        print(f"| {row['steady_per_s']:.1f} | {row['steady_busiest']} | {row['after_busiest']} |", flush=True)
        rows.append(row)
    return rows


def _fleet() -> dict[str, Any]:
    row = fleet.measure()
    print("| | |\n| --- | ---: |")
    for name, value in row.items():
        print(f"| {name} | {f'{value:.3f}' if isinstance(value, float) else value} |")
    return row


def _cost() -> None:
    asyncio.run(breaker_cost.main())


PARTS: dict[str, Callable[[], Any]] = {"cost": _cost, "delays": _delays, "fleet": _fleet, "herd": _herd}


def missed(results: dict[str, Any]) -> list[str]:
    """The bars that the figures do not meet."""
    found = [
        f"{row['jitter']} jitter: p = {row['p']:.4f}, under {LOWEST_P}"
        for row in results.get("delays") or []
        if row["p"] <= LOWEST_P
    ]
    if rows := results.get("herd"):
        found += _missed_by_herd(rows[0], rows[-1])
    if row := results.get("fleet"):
        found += _missed_by_fleet(row)
    return found


def _missed_by_herd(unguarded: dict[str, Any], guarded: dict[str, Any]) -> list[str]:
    share = guarded["calls_in_outage"] / unguarded["calls_in_outage"]
    found = []
    if share > herd.MOST_OF_UNGUARDED:
        found.append(f"herd: {share:.1%} of the unguarded calls, more than {herd.MOST_OF_UNGUARDED:.0%}")
    if guarded["after_busiest"] > 2 * guarded["steady_busiest"]:
        found.append(f"herd: {guarded['after_busiest']} calls within {herd.WINDOW_S:g} s after the outage")
    return found


def _missed_by_fleet(row: dict[str, Any]) -> list[str]:
    bars = (("refused_after_s", fleet.MOST_S_TO_REFUSE), ("failed_max_s", fleet.MOST_S_TO_FAIL))
    return [f"fleet: {name} is {row[name]:.3f}, over {most}" for name, most in bars if row[name] > most]


def main() -> int:
    """Read the options and run; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m trials.bench.guard", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all if none is named")
    parser.add_argument("--pictures", action="store_true", help=f"draw {PICTURES}/guard-*.svg too")
    args = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    results: dict[str, Any] = {}
    for name in args.parts or PARTS:
        print(f"\n{name}\n", flush=True)
        results[name] = PARTS[name]()
        if results[name] is not None:
            (RESULTS / f"guard-{name}.json").write_text(json.dumps(results[name], indent=1) + "\n")
    if args.pictures:
        pictures.draw(PICTURES, results)
    for bar in missed(results):
        print(f"missed: {bar}", file=sys.stderr)
    return 1 if missed(results) else 0


if __name__ == "__main__":
    sys.exit(main())
