"""`python -m record` mends the trips of a running system. It is found as `python -m audit` finds it."""

import argparse
import asyncio
import logging
import os
import sys

from temporalio.client import Client
from temporalio.service import RPCError

from audit.endpoints import find_endpoints
from config.temporal import client_options
from record.pool import Pool, RecordAway, open_pool
from temporal.takeover import take_over, take_over_the_lost
from temporal.workflows import GOES_ON

WHO = "record restart"
CONNECT_TIMEOUT_S = 10.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m record", description=__doc__)
    commands = parser.add_subparsers(required=True)

    restart = commands.add_parser(
        "restart",
        help="take over trips whose workflow was ended from outside or lost",
        description="A trip whose workflow goes on, or which has ended, is left as it is.",
    )
    which = restart.add_mutually_exclusive_group(required=True)
    which.add_argument("trip_id", nargs="*", default=[], help="these trips")
    which.add_argument("--lost", action="store_true", help="every trip that no workflow carries on")
    restart.set_defaults(run=_restart)
    return parser.parse_args()


async def _restart(chosen: argparse.Namespace) -> int:
    """0, or 1 if a trip that was named is neither taken over nor carried on."""
    endpoints = find_endpoints()
    client = await _connected(endpoints.temporal)
    async with open_pool(endpoints.database_url, size=10) as pool:
        return await (_restart_lost(client, pool) if chosen.lost else _restart_named(client, pool, chosen))


async def _restart_lost(client: Client, pool: Pool) -> int:
    taken = await take_over_the_lost(client, pool, WHO)
    for trip_id in taken:
        print(f"{trip_id}: taken over")
    print(f"{len(taken)} taken over")
    return 0


async def _restart_named(client: Client, pool: Pool, chosen: argparse.Namespace) -> int:
    found = await take_over(client, pool, chosen.trip_id, WHO)
    for trip_id in chosen.trip_id:
        state = found.get(trip_id)
        if state is None:
            print(f"{trip_id}: left as it is; it has ended, is not in the record, or cannot be started")
        elif state in GOES_ON:
            print(f"{trip_id}: left as it is; its workflow is {state}")
        else:
            print(f"{trip_id}: taken over; its workflow was {state}")
    return 0 if found.keys() >= set(chosen.trip_id) else 1


async def _connected(address: str | None) -> Client:
    options = client_options() | ({"target_host": address} if address else {})
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        return await Client.connect(**options)


def main() -> int:
    """Run the command; 2 if PostgreSQL or Temporal is away, or the system is not to be found."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    chosen = _arguments()
    try:
        status: int = asyncio.run(chosen.run(chosen))
    except (RecordAway, RPCError, RuntimeError, TimeoutError, ValueError) as error:
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return status


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # Temporal's client may hang or abort at the interpreter's own exit
