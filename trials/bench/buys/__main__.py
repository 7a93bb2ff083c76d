"""`python -m trials.bench.buys`: run the variants, print their tables, write `results/buys.json`.

Takes about twelve minutes on two cores. Exits 1 where a trip came to harm with all mechanisms at work.
"""

import argparse
import asyncio
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from stack.runner import exit_status
from trials.bench.buys import pictures, tables
from trials.bench.buys.measure import measured
from trials.bench.buys.plan import QUICK, Plan
from trials.bench.buys.variants import VARIANTS, Variant
from trials.bench.command import keep
from trials.bench.contest.tables import filled

RESULTS = Path("results/buys.json")
PAGE = Path("docs/mechanisms.md")
PICTURES = Path("docs/pictures")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m trials.bench.buys", description=__doc__)
    names = [variant.name for variant in VARIANTS]
    parser.add_argument("variants", nargs="*", choices=[*names, []], help="all if none is named")
    parser.add_argument("--quick", action="store_true", help="short phases, to try it out")
    parser.add_argument("--docs", action="store_true", help=f"fill {PAGE} and draw its pictures, too")
    parser.add_argument("--again", action="store_true", help=f"run nothing: show {RESULTS} again")
    return parser.parse_args()


async def run(variants: Sequence[Variant], plan: Plan, stop: asyncio.Event) -> dict[str, Any]:
    """Each variant on a fresh system, one after another."""
    about = {
        "plan": asdict(plan),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }
    rows = []
    for variant in variants:
        rows.append(await measured(variant, plan, stop))
        print(f"{variant.title}: {rows[-1]['outcomes']}", flush=True)
    return {"about": about, "rows": rows}


def show(results: tables.Results, *, into_docs: bool) -> int:
    """Print the tables, and fill the docs if asked to; 1 where all mechanisms together did not hold."""
    found = tables.all_tables(results)
    for name, one in found.items():
        print(f"\n{name}\n\n{one}", flush=True)
    if into_docs:
        PAGE.write_text(filled(PAGE.read_text(), found, "buys"))
        pictures.draw(PICTURES, results)
    missed = tables.missed(results)
    for one in missed:
        print(f"missed: {one}", file=sys.stderr)
    return 1 if missed else 0


def main() -> int:
    """Read the options and run; the exit status."""
    arguments = _arguments()
    if not arguments.again:
        chosen = [one for one in VARIANTS if not arguments.variants or one.name in arguments.variants]
        plan = QUICK if arguments.quick else Plan()
        status = exit_status(lambda: keep(RESULTS, partial(run, chosen, plan)))
        if status:
            return status
    return show(json.loads(RESULTS.read_text()), into_docs=arguments.docs)


if __name__ == "__main__":
    sys.exit(main())
