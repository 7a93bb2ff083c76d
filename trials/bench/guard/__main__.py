"""`python -m trials.bench.guard`: run the measurements, print their tables, write `results/guard-*.json`.

Takes about ten minutes. Exits 1 if a bar is missed.
"""

import argparse
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from stack.runner import exit_status
from trials.bench.guard import delays, fleet, herd
from trials.report import INTERRUPTED, PICTURES, Bar, draw, save_results, unless_interrupted, verdict


class Measurement(NamedTuple):
    measure: Callable[[], Awaitable[list[dict[str, Any]]]]
    table: Callable[[list[dict[str, Any]]], str]
    bars: Callable[[list[dict[str, Any]]], list[Bar]]
    picture: Callable[[list[dict[str, Any]]], Figure] | None = None


PARTS: Mapping[str, Measurement] = {
    "delays": Measurement(delays.measure, delays.table_of, delays.bars, delays.picture),
    "fleet": Measurement(fleet.measure, fleet.table_of, fleet.bars),
    "herd": Measurement(herd.measure, herd.table_of, herd.bars, herd.picture),
}


async def run(names: list[str], with_pictures: bool) -> int:
    bars: list[Bar] = []
    for name in names:
        print(f"\n{name}\n", flush=True)
        part = PARTS[name]
        rows = await part.measure()
        save_results(f"guard-{name}", rows)
        print(part.table(rows), flush=True)
        bars += part.bars(rows)
        if with_pictures and part.picture:
            draw(PICTURES, {f"guard-{name}": partial(part.picture, rows)})
    return verdict(bars)


async def _command(arguments: argparse.Namespace) -> int:
    status = await unless_interrupted(run(arguments.parts or list(PARTS), arguments.pictures))
    return INTERRUPTED if status is None else status


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m trials.bench.guard", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all if none is named")
    parser.add_argument("--pictures", action="store_true", help=f"draw {PICTURES}/guard-*.svg too")
    arguments = parser.parse_args()
    return exit_status(lambda: _command(arguments))


if __name__ == "__main__":
    sys.exit(main())
