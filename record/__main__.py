"""`python -m record` mends the trips of a running system, and takes travellers out of them.

The system is found as `python -m audit` finds it.
"""

import argparse
import asyncio
import logging
import os
import sys
from functools import partial

from temporalio.client import Client
from temporalio.service import RPCError

from audit.endpoints import find_endpoints
from calling.erasing import PartnerAway, erase_at_partners
from config.clients import open_clients
from config.codec import codec_of
from config.keys import keys_here
from config.temporal import client_options
from record import acts
from record.acts import Act
from record.erasure import Forget, erase
from record.pool import Pool, RecordAway, open_pool
from temporal.forget import forget
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

    erase = commands.add_parser(
        "erase",
        help="take a traveller out of the trips that have ended",
        description="Name, address, member and the words of partners go; what was booked stays. Trips that "
        "have not ended are left as they are.",
    )
    erase.add_argument("--email", required=True, help="the traveller's, whatever its case")
    erase.add_argument("--tenant", help="of this tenant's trips alone")
    erase.set_defaults(run=_erase)
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
            print(f"{trip_id}: left as it is; it has ended, has no workflow, or cannot be started")
        elif state in GOES_ON:
            print(f"{trip_id}: left as it is; its workflow is {state}")
        else:
            print(f"{trip_id}: taken over; its workflow was {state}")
    return 0 if found.keys() >= set(chosen.trip_id) else 1


async def _erase(chosen: argparse.Namespace) -> int:
    """0, or 1 if a trip has not ended and is left."""
    endpoints = find_endpoints()
    # Choreographed trips need no Temporal.
    client = await _connected(endpoints.temporal, lazy=True)
    async with (
        open_clients(endpoints.partners) as partners,
        open_pool(endpoints.database_url, size=2) as pool,
    ):
        others = Forget(partial(forget, client), partial(erase_at_partners, partners))
        done = await erase(pool, chosen.email, chosen.tenant, others)
        await acts.write(pool, [(Act("erase_traveller", "done", chosen.tenant, "python -m record"), 1)])
    print(f"{done.erased} erased, {done.not_ended} not ended and left as they are")
    return 1 if done.not_ended else 0


async def _connected(address: str | None, *, lazy: bool = False) -> Client:
    options = client_options(codec_of(keys_here())) | ({"target_host": address} if address else {})
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        return await Client.connect(**options, lazy=lazy)


def main() -> int:
    """Run the command; 2 if PostgreSQL, Temporal or a partner is away, or the system is not to be found."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    chosen = _arguments()
    try:
        status: int = asyncio.run(chosen.run(chosen))
    except (PartnerAway, RecordAway, RPCError, RuntimeError, TimeoutError, ValueError) as error:
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return status


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # Temporal's client may hang or abort at the interpreter's own exit
