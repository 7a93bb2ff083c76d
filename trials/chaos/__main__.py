"""`python -m trials.chaos` books random trips while it breaks everything; fails if one ends half-booked."""

import argparse
import asyncio
import json
import random
import re
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

from temporalio.client import Client as TemporalClient
from temporalio.service import RPCError

from stack.runner import exit_status
from trials.chaos import cancels, matrix, soak, told
from trials.chaos.client import PRECISE, SOAK, UNHURRIED, Away, Client, calling
from trials.chaos.verdict import audited
from trials.orders import Json
from trials.report import INTERRUPTED, save_results, unless_interrupted
from trials.world import started
from trip.order import Coordination

KINDS: tuple[Coordination, ...] = get_args(Coordination)
SHOWN = 30
MOST_HISTORIES = 50
RPC_TIMEOUT = timedelta(seconds=10)
_TRIP_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Run = Callable[[Client], Awaitable[list[str]]]
"""Gives the violations that it finds."""


async def _matrix(client: Client) -> list[str]:
    outcomes = await matrix.run_all(client, workers=1)
    _keep("matrix", outcomes, matrix.shown(outcomes))
    told_outcomes = await told.run_all(client)
    _keep("matrix-told", told_outcomes, told.shown(told_outcomes))
    wrong = [f"{one.trip_id}: {problem}" for one in outcomes for problem in one.wrong]
    wrong += [f"{one.trip_id}: {problem}" for one in told_outcomes for problem in one.wrong]
    return wrong + await audited(client)


def _cancels(kinds: Sequence[Coordination]) -> Run:
    async def run(client: Client) -> list[str]:
        outcomes = await cancels.run_all(client, kinds)
        _keep("cancels", outcomes, cancels.shown(outcomes))
        return cancels.violations(outcomes) + await audited(client)

    return run


def _soak(arguments: argparse.Namespace) -> Run:
    seed = random.randrange(2**31) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)

    async def run(client: Client) -> list[str]:
        result = await soak.soak(client, seed, arguments.trips, arguments.rate, arguments.minutes * 60)
        _keep(f"chaos-{seed}", result, soak.shown(result))
        violations: list[str] = result["violations"]
        return violations

    return run


def _keep(name: str, results: object, shown: str) -> None:
    save_results(f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%S}", results)
    print(shown, flush=True)


async def _attack(home: Path, settings: Mapping[str, str], workers: int, run: Run) -> list[str]:
    """Run against a system in `home`, where the histories of trips that went wrong are kept."""
    async with started(settings, workers=workers, home=home) as world, calling(world) as client:
        violations = await run(client)
        if violations:
            histories = await _histories(client, violations)
            (home / "histories.json").write_text(json.dumps(histories, indent=1))
        return violations


async def _histories(client: Client, violations: Iterable[str]) -> Json:
    """By the id of each trip that is named: what was told of it, or its workflow's history."""
    temporal = await TemporalClient.connect(client.world.temporal)
    named = dict.fromkeys(found[0] for line in violations if (found := _TRIP_ID.search(line)))
    return {trip_id: await _history(client, temporal, trip_id) for trip_id in list(named)[:MOST_HISTORIES]}


async def _history(client: Client, temporal: TemporalClient, trip_id: str) -> Json:
    try:
        trip = await client.trip(trip_id)
        if trip["coordination"] == "choreography":
            _, page = await client.insist("GET", f"/trips/{trip_id}/messages?limit=500")
            return {"trip": trip, "messages": page["items"]}
        history = await temporal.get_workflow_handle(trip_id).fetch_history(rpc_timeout=RPC_TIMEOUT)
        return {"trip": trip, "workflow": history.to_json_dict()}
    except (Away, RPCError) as error:
        return {"unknown": str(error)}


async def chaos(arguments: argparse.Namespace) -> int:
    """Run what the arguments ask for, on a system of its own; 0 if nothing was violated."""
    attack: tuple[Mapping[str, str], int, Run]
    if arguments.matrix:
        attack = (PRECISE, 1, _matrix)
    elif arguments.cancels:
        attack = (UNHURRIED, 1, _cancels(arguments.coordination or KINDS))
    else:
        attack = (SOAK, 2, _soak(arguments))
    home = Path(tempfile.mkdtemp(prefix="trips-chaos-"))
    print(f"data {home}", flush=True)
    violations = await unless_interrupted(_attack(home, *attack))
    if not violations:
        await asyncio.to_thread(shutil.rmtree, home, ignore_errors=True)
        return INTERRUPTED if violations is None else 0
    print("\n  ".join([f"violations: {len(violations)}", *violations[:SHOWN]]))
    if len(violations) > SHOWN:
        print(f"  and {len(violations) - SHOWN} more")
    print(f"kept: {home} (data, histories, system.log)", flush=True)
    return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m trials.chaos", description=__doc__)
    parser.add_argument("--trips", type=int, default=1000, help="how many trips (default: 1000)")
    parser.add_argument("--seed", type=int, help="the plan of trips, faults and kills (default: a new one)")
    parser.add_argument("--rate", type=float, default=4.0, help="trips a second at most (default: 4)")
    parser.add_argument("--minutes", type=float, default=20.0, help="at most for the bookings (default: 20)")
    parser.add_argument(
        "--coordination", action="append", choices=KINDS, help="of the trips of --cancels (default: both)"
    )
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--matrix", action="store_true", help="run the whole crash matrix instead")
    modes.add_argument("--cancels", action="store_true", help="cancel at every moment of a slow trip instead")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(exit_status(lambda: chaos(_arguments())))
