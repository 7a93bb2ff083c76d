"""`python -m trials.bench.contest.peer NAME`: one of the peers as a process of its own."""

import asyncio
import os
import sys
from importlib import import_module

from temporalio.client import Client

ON_TEMPORAL = ("textbook", "bare")
DBOS = "dbos_saga"
DBOS_URL, DBOS_PORT = "CONTEST_DBOS_URL", "CONTEST_DBOS_PORT"


async def _serve(name: str) -> None:
    # Imported alone, so that no peer carries the weight of another.
    serve = import_module(f"trials.bench.contest.{name}").serve
    if name == DBOS:
        await serve(os.environ[DBOS_URL], int(os.environ[DBOS_PORT]))
    else:
        await serve(await Client.connect(os.environ["TEMPORAL_ADDRESS"]))


def main() -> None:
    """Run the peer named on the command line until SIGTERM."""
    name = sys.argv[1]
    if name not in (*ON_TEMPORAL, DBOS):
        sys.exit(f"usage: python -m trials.bench.contest.peer {'|'.join((*ON_TEMPORAL, DBOS))}")
    asyncio.run(_serve(name))


if __name__ == "__main__":
    main()
