"""`python -m trials.bench.contest`: run the contest, print its tables, write `results/contest.json`.

Takes about twelve minutes on two cores. Exits 1 where a bar is missed.
"""

import argparse
import asyncio
import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from stack.runner import exit_status
from trials.bench.command import keep, verdict
from trials.bench.contest import bars, pictures, tables
from trials.bench.contest.contest import QUICK, Plan, contest
from trials.bench.contest.ground import fresh_ground

RESULTS = Path("results/contest.json")
PAGE = Path("docs/bench.md")
PICTURES = Path("docs/pictures")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m trials.bench.contest", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round, to try it out")
    parser.add_argument("--rounds", type=int, help=f"default: {Plan.rounds}")
    parser.add_argument("--seconds", type=float, help=f"length of a phase (default: {Plan.seconds:g})")
    parser.add_argument("--docs", action="store_true", help=f"fill {PAGE} and draw its pictures, too")
    parser.add_argument("--again", action="store_true", help=f"run nothing: show {RESULTS} again")
    return parser.parse_args()


def _plan(arguments: argparse.Namespace) -> Plan:
    plan = QUICK if arguments.quick else Plan()
    if arguments.rounds:
        fewer = min(arguments.rounds, plan.failing_rounds)
        plan = replace(plan, rounds=arguments.rounds, failing_rounds=fewer)
    return replace(plan, seconds=arguments.seconds) if arguments.seconds else plan


async def run(stop: asyncio.Event, plan: Plan) -> dict[str, Any]:
    """A contest on a fresh system."""
    async with fresh_ground(stop) as ground:
        return await contest(ground, plan)


def show(results: dict[str, Any], into_docs: bool) -> int:
    """Print the tables, and fill the docs if asked to; 1 where a bar is missed."""
    found = tables.all_tables(results)
    for name, table in found.items():
        print(f"\n{name}\n\n{table}", flush=True)
    if into_docs:
        PAGE.write_text(tables.filled(PAGE.read_text(), found))
        pictures.draw(PICTURES, results)
    return verdict(bars.judged(results), results["wrong"])


def main() -> int:
    """Read the options and run; the exit status."""
    arguments = _arguments()
    if not arguments.again:
        status = exit_status(lambda: keep(RESULTS, partial(run, plan=_plan(arguments))))
        if status:
            return status
    return show(json.loads(RESULTS.read_text()), arguments.docs)


if __name__ == "__main__":
    sys.exit(main())
