"""What the commands of the benchmarks share: they end at a signal, keep their results, and judge bars."""

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from stack.runner import stop_event
from trials.bench.contest.bars import Bar

INTERRUPTED = 130
MOST_WRONG_SHOWN = 10

Results = dict[str, Any]


async def keep(path: Path, run: Callable[[asyncio.Event], Coroutine[Any, Any, Results]]) -> int:
    """Write what `run` gives to `path`; not 0 where a signal, which sets the event, ended it first."""
    stop = stop_event()
    running = asyncio.ensure_future(run(stop))
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait([running, stopping], return_when=asyncio.FIRST_COMPLETED)
    for task in (running, stopping):
        task.cancel()
    await asyncio.wait([running, stopping])
    if running.cancelled():
        return INTERRUPTED
    await asyncio.to_thread(_write, path, running.result())
    return 0


def _write(path: Path, results: Results) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")


def verdict(bars: Sequence[Bar], wrong: Sequence[str]) -> int:
    """Say which trips went wrong and which bars are missed; 1 where one is."""
    for trip in wrong[:MOST_WRONG_SHOWN]:
        print(f"wrong: {trip}", file=sys.stderr)
    missed = [bar for bar in bars if not bar.is_met]
    for bar in missed:
        print(f"missed: {bar.text}: {bar.figure:.3g}", file=sys.stderr)
    return 1 if missed else 0
