"""`python -m trials.chaos` books random trips while it breaks everything; fails if one ends half-booked."""

import argparse
import asyncio
import random
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter

from stack.runner import exit_status, stop_event
from trials.chaos import cancels, matrix, report
from trials.chaos.histories import save_histories
from trials.chaos.place import PRECISE, SOAK, UNHURRIED, Place, place
from trials.chaos.soak import WORKERS, soak

RESULTS = Path("results")
INTERRUPTED = 130

Run = Callable[[Place], Awaitable[list[str]]]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m trials.chaos", description=__doc__)
    parser.add_argument("--trips", type=int, default=1000, help="how many trips (default: 1000)")
    parser.add_argument("--seed", type=int, help="the plan of trips, faults and kills (default: a new one)")
    parser.add_argument("--rate", type=float, default=4.0, help="trips a second at most (default: 4)")
    parser.add_argument("--minutes", type=float, default=20.0, help="at most for the bookings (default: 20)")
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--matrix", action="store_true", help="run the whole crash matrix instead")
    modes.add_argument("--cancels", action="store_true", help="cancel at every moment of a slow trip instead")
    return parser.parse_args()


async def chaos(arguments: argparse.Namespace) -> int:
    """Run what the arguments ask for; the exit status."""
    if arguments.matrix:
        return await _in_a_place(PRECISE, 1, _matrix)
    if arguments.cancels:
        return await _in_a_place(UNHURRIED, 1, _cancels)
    seed = random.randrange(2**31) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)

    async def run(here: Place) -> list[str]:
        result = await soak(here, seed, arguments.trips, arguments.rate, arguments.minutes * 60)
        _keep(f"chaos-{seed}", result.model_dump_json(indent=2))
        print(report.of_soak(result), flush=True)
        return result.violations

    return await _in_a_place(SOAK, WORKERS, run)


async def _matrix(here: Place) -> list[str]:
    outcomes = await matrix.run_all(here.client, workers=1)
    _keep("matrix", TypeAdapter(list[matrix.Outcome]).dump_json(outcomes, indent=2).decode())
    print(report.of_matrix(outcomes), flush=True)
    wrong = [f"{one.trip_id}: {problem}" for one in outcomes for problem in one.wrong]
    return wrong + await matrix.audited(here.client)


async def _cancels(here: Place) -> list[str]:
    outcomes = await cancels.run_all(here.client)
    _keep("cancels", TypeAdapter(list[cancels.Outcome]).dump_json(outcomes, indent=2).decode())
    print(report.of_cancels(outcomes), flush=True)
    return cancels.violations(outcomes) + await matrix.audited(here.client)


async def _in_a_place(settings: Mapping[str, str], workers: int, run: Run) -> int:
    """Run against a system of its own; 0 where nothing was violated. The system's data is kept otherwise."""
    stop = stop_event()
    async with place(settings, workers, stop) as here:
        print(f"data {here.home}", flush=True)
        working = asyncio.ensure_future(run(here))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not working.done():
            working.cancel()
            await asyncio.wait([working])
            here.kept = False
            return INTERRUPTED
        violations = working.result()
        here.kept = bool(violations)
        if not violations:
            return 0
        print(report.of_violations(violations))
        await save_histories(here, violations)
        print(f"kept: {here.home} (data, histories, system.log)", flush=True)
    return 1


def _keep(name: str, text: str) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%S}.json").write_text(text + "\n")


if __name__ == "__main__":
    sys.exit(exit_status(lambda: chaos(_arguments())))
