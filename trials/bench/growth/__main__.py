"""`python -m trials.bench.growth [PART …]`: run the parts, print their tables, write `results/growth.json`.

What that holds of other parts is kept. All parts take about twenty minutes on two cores. Exits 1 where a
bar is missed.
"""

import argparse
import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from stack.runner import exit_status
from trials.bench.command import keep, verdict
from trials.bench.contest.tables import filled
from trials.bench.growth import bars, pictures, tables
from trials.bench.growth.growth import PARTS, QUICK, Plan, Results, measured

RESULTS = Path("results/growth.json")
PAGE = Path("docs/growth.md")
PICTURES = Path("docs/pictures")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m trials.bench.growth", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all if none is named")
    parser.add_argument("--quick", action="store_true", help="everything small, to try it out")
    parser.add_argument("--trips", type=int, help=f"length of the memory run (default: {Plan.trips:,})")
    parser.add_argument("--docs", action="store_true", help=f"fill {PAGE} and draw its pictures, too")
    parser.add_argument("--again", action="store_true", help=f"run nothing: show {RESULTS} again")
    return parser.parse_args()


def _plan(arguments: argparse.Namespace) -> Plan:
    plan = QUICK if arguments.quick else Plan()
    return replace(plan, trips=arguments.trips) if arguments.trips else plan


def _known() -> Results:
    """The results so far."""
    known: Results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return known


def show(results: Results, into_docs: bool) -> int:
    """Print the tables, and fill the docs if asked to; 1 where a bar is missed."""
    found = tables.all_tables(results)
    for name, one in found.items():
        print(f"\n{name}\n\n{one}", flush=True)
    if into_docs:
        PAGE.write_text(filled(PAGE.read_text(), found, of="growth"))
        pictures.draw(PICTURES, results)
    return verdict(bars.judged(results), bars.wrong(results))


def main() -> int:
    """Read the options and run; the exit status."""
    arguments = _arguments()
    if arguments.again and not RESULTS.exists():
        sys.exit(f"there is no {RESULTS} yet; run it without --again")
    for part in [] if arguments.again else arguments.parts or PARTS:
        # Kept at once, so that an hour's measurement survives a signal in the next part.
        run = partial(measured, plan=_plan(arguments), part=part, known=_known())
        if status := exit_status(partial(keep, RESULTS, run)):
            return status
    return show(_known(), arguments.docs)


if __name__ == "__main__":
    sys.exit(main())
