"""`python -m trials.releases` releases a build and goes back while trips are booked; fails if one is lost."""

import argparse
import asyncio
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from temporalio.client import Client

from audit.run import audit
from stack.runner import exit_status
from trials.orders import Json
from trials.releases.fleet import Fleet
from trials.releases.incompatible import incompatible
from trials.releases.turns import Plan, Turns, take_turns, three_workers
from trials.report import INTERRUPTED, counted, save_results, table, unless_interrupted
from trials.statistics import percentile
from trials.world import CALL_LIMIT, started

CONNECTIONS = 300
SHOWN = 30


async def _run(home: Path, plan: Plan) -> list[str]:
    """The violations that are found in a system of its own, whose data is in `home`."""
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with (
        started({}, home=home) as world,
        aiohttp.ClientSession(connector=connector, timeout=CALL_LIMIT) as http,
    ):
        client = await Client.connect(world.temporal, data_converter=world.converter())
        fleet = Fleet(world, world.traveller(http), client, {})
        with three_workers(fleet, incompatible(home / "changes")) as victim:
            turns = await take_turns(fleet, victim, plan)
        report = await audit(world.endpoints())
    found = [f"{one.subject}: {one.code}: {one.problem}" for one in report.discrepancies]
    found += [f"{subject}: not at rest, and so not audited" for subject in report.in_flight]
    violations = turns.violations() + found
    result = _result(plan, turns) | {"discrepancies": len(found), "violations": violations}
    save_results(f"releases-{datetime.now(UTC):%Y%m%dT%H%M%S}", result)
    print(table(("", ""), ((name, value) for name, value in result.items() if name != "violations")))
    return violations


def _result(plan: Plan, turns: Turns) -> Json:
    latencies = turns.load.latencies_s
    took = {
        f"{name} of a trip": f"{percentile(latencies, share):.2f} s"
        for name, share in (("median", 0.5), ("99 of 100", 0.99), ("longest", 1.0))
        if latencies
    }
    confirmed = len(turns.load.trips)
    return {
        "asked for": f"{plan.per_s:g} trips a second for {plan.seconds:g} s",
        "trips accepted": f"{len(turns.accepted)} in {turns.took_s:.0f} s",
        "trips not accepted": len(turns.load.wrong) - (len(turns.accepted) - confirmed),
        "trips lost, or not confirmed": len(turns.accepted) - confirmed,
        **took,
        "CPU of the system and this command": f"{turns.used.own / turns.took_s:.2f} cores",
        "CPU of all else on the machine": f"{(turns.used.machine - turns.used.own) / turns.took_s:.2f} cores",
        "by build": counted(turns.by_build()),
        "under way at the kill, by build": counted(turns.at_the_kill()),
        "workflow tasks that failed": len(turns.failed_tasks),
    }


async def releases(plan: Plan) -> int:
    """Run the plan on a system of its own; 0 if nothing was violated."""
    home = Path(tempfile.mkdtemp(prefix="trips-releases-"))
    print(f"data {home}", flush=True)
    violations = await unless_interrupted(_run(home, plan))
    if not violations:
        await asyncio.to_thread(shutil.rmtree, home, ignore_errors=True)
        return INTERRUPTED if violations is None else 0
    print("\n  ".join([f"violations: {len(violations)}", *violations[:SHOWN]]))
    print(f"kept: {home} (data, system.log, and the log of each build's workers in data)", flush=True)
    return 1


def _plan() -> Plan:
    parser = argparse.ArgumentParser(prog="python -m trials.releases", description=__doc__)
    parser.add_argument("--rate", type=float, default=10.0, help="trips a second (default: 10)")
    parser.add_argument("--seconds", type=float, default=60.0, help="at least so long (default: 60)")
    parser.add_argument(
        "--latency-ms",
        type=int,
        default=700,
        help="how long the hotel takes to answer, so that a trip takes several workflow tasks (default: 700)",
    )
    chosen = parser.parse_args()
    return Plan(chosen.rate, chosen.seconds, chosen.latency_ms)


if __name__ == "__main__":
    sys.exit(exit_status(lambda: releases(_plan())))
