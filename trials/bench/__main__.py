"""Measures, prints tables, and keeps `results/NAME.json`. Exits 1 if a bar is missed."""

import argparse
import asyncio
import sys
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from typing import Any

from stack.runner import exit_status
from trials.bench.attack.page import ATTACK
from trials.bench.backoff.page import BACKOFF
from trials.bench.bench import Bench, wrong
from trials.bench.buys.page import BUYS
from trials.bench.contest.page import CONTEST
from trials.bench.drawing import draw
from trials.bench.growth.page import GROWTH
from trials.bench.guard.page import GUARD
from trials.bench.kinds.page import KINDS
from trials.bench.profile.page import PROFILE
from trials.bench.size.page import SIZE
from trials.bench.telemetry.page import TELEMETRY
from trials.report import (
    INTERRUPTED,
    filled,
    load_results,
    machine,
    save_results,
    unless_interrupted,
    verdict,
)

BENCHES = {
    bench.name: bench
    for bench in (BACKOFF, GUARD, CONTEST, KINDS, GROWTH, SIZE, BUYS, TELEMETRY, PROFILE, ATTACK)
}


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(prog="python -m trials.bench", description=__doc__)
    named = found.add_subparsers(dest="name", required=True)
    for bench in BENCHES.values():
        one = named.add_parser(bench.name, help=bench.about, description=bench.about)
        one.add_argument("parts", nargs="*", choices=[*bench.parts, []], help="all if none is named")
        one.add_argument("--again", action="store_true", help="run nothing: show the kept results again")
        how = one.add_mutually_exclusive_group()
        how.add_argument(
            "--quick", action="store_true", help="everything short, to try it out; bars may be missed"
        )
        how.add_argument("--docs", action="store_true", help=f"fill {bench.page} and draw its pictures")
        for name, default in _numbers(bench.plan):
            one.add_argument(f"--{name.replace('_', '-')}", type=type(default), help=f"default: {default:,}")
    return found


def _numbers(plan: Any) -> Iterator[tuple[str, float]]:
    for field in fields(plan):
        value = getattr(plan, field.name)
        if isinstance(value, int | float):
            yield field.name, value


def planned(bench: Bench, arguments: argparse.Namespace) -> Any:
    given = {name: getattr(arguments, name) for name, _ in _numbers(bench.plan)}
    changes = {name: value for name, value in given.items() if value is not None}
    return replace(bench.quick if arguments.quick else bench.plan, **changes)


async def measure(bench: Bench, part: str, plan: Any, file: str) -> int:
    """Run a part, and put its results beside those of the other parts in the file."""
    about = machine() | asdict(plan)
    print(f"\n{bench.name}: {part}\n", flush=True)
    found = await unless_interrupted(bench.parts[part](plan))
    if found is None:
        return INTERRUPTED
    await asyncio.to_thread(save_results, file, load_results(file) | {part: {"about": about, **found}})
    return 0


def show(bench: Bench, file: str, *, into_docs: bool) -> int:
    results = {part: found for part, found in load_results(file).items() if part in bench.parts}
    if not results:
        sys.exit(f"there is no results/{file}.json yet; run it without --again")
    tables = bench.tables(results)
    for name, table in tables.items():
        print(f"\n{name}\n\n{table}", flush=True)
    if into_docs:
        bench.page.write_text(filled(bench.page.read_text(), tables, bench.name))
        draw(bench.pictures(results))
    return verdict(bench.bars(results), wrong(results))


def main() -> int:
    arguments = parser().parse_args()
    bench = BENCHES[arguments.name]
    plan = planned(bench, arguments)
    file = f"{bench.name}-quick" if arguments.quick else bench.name
    # Each part is kept at once, so that a signal in the next one does not lose it.
    for part in [] if arguments.again else arguments.parts or bench.parts:
        if status := exit_status(lambda part=part: measure(bench, part, plan, file)):  # type: ignore[misc]
            return status
    return show(bench, file, into_docs=arguments.docs)


if __name__ == "__main__":
    sys.exit(main())
