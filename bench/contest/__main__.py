"""`python -m bench.contest`: run the contest, print its tables, write `results/contest.json`.

Takes about twelve minutes on two cores. Exits 1 where a bar is missed.
"""

import argparse
import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.contest import bars, pictures, tables
from bench.contest.contest import QUICK, Plan, contest
from bench.contest.ground import fresh_ground
from stack.runner import exit_status, stop_event

RESULTS = Path("results/contest.json")
PAGE = Path("docs/bench.md")
PICTURES = Path("docs/pictures")
INTERRUPTED = 130
MOST_WRONG_SHOWN = 10


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.contest", description=__doc__)
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


async def keep(plan: Plan) -> int:
    """Run a contest on a fresh system and keep its results; not 0 where a signal ended it."""
    stop = stop_event()
    async with fresh_ground(stop) as ground:
        running = asyncio.ensure_future(contest(ground, plan))
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in (running, stopping):
            task.cancel()
        await asyncio.wait([running, stopping])
    if running.cancelled():
        return INTERRUPTED
    await asyncio.to_thread(_write, running.result())
    return 0


def _write(results: dict[str, Any]) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def show(results: dict[str, Any], into_docs: bool) -> int:
    """Print the tables, and fill the docs if asked to; 1 where a bar is missed."""
    found = tables.all_tables(results)
    for name, table in found.items():
        print(f"\n{name}\n\n{table}", flush=True)
    if into_docs:
        PAGE.write_text(tables.filled(PAGE.read_text(), found))
        pictures.draw(PICTURES, results)
    for wrong in results["wrong"][:MOST_WRONG_SHOWN]:
        print(f"wrong: {wrong}", file=sys.stderr)
    missed = [bar for bar in bars.judged(results) if not bar.is_met]
    for bar in missed:
        print(f"missed: {bar.text}: {bar.figure:.3g}", file=sys.stderr)
    return 1 if missed else 0


def main() -> int:
    """Read the options and run; the exit status."""
    arguments = _arguments()
    if not arguments.again:
        status = exit_status(lambda: keep(_plan(arguments)))
        if status:
            return status
    return show(json.loads(RESULTS.read_text()), arguments.docs)


if __name__ == "__main__":
    sys.exit(main())
