"""A system to be broken: its own directory, ports and settings."""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from stack.runner import running
from stack.system import System, free_ports
from trials.chaos.client import Client
from trials.chaos.target import Target

SOAK = {
    # Retries quick enough for a run of minutes, and as many as by default.
    "TRIPS_RETRY_BASE_S": "0.2",
    "TRIPS_RETRY_CAP_S": "2",
    # Breakers that open as easily as by default, but not for ten minutes.
    "TRIPS_BREAKER_OPEN_S": "3",
}
"""The settings of a run with random faults."""

PRECISE = {
    # Between two attempts there is time to kill something.
    "TRIPS_RETRY_BASE_S": "3",
    "TRIPS_RETRY_CAP_S": "3",
    "TRIPS_RETRY_JITTER": "none",
    # So that a local activity stands at its moment as long as an ordinary one.
    "TRIPS_LOCAL_ATTEMPT_S": "4.5",
    # What is asked is what a kill does, not what a breaker does about it.
    "TRIPS_BREAKER_MIN_CALLS": "10000",
    "TRIPS_PROBE_INTERVAL_S": "3600",
}
"""The settings under which a moment can be met."""

UNHURRIED = PRECISE | {"TRIPS_LOCAL_ATTEMPT_S": "1"}
"""Those under which a slow trip hears of its cancel between two calls, as by default."""

CONNECTIONS = 150


@dataclass
class Place:
    """A running system in a directory of its own, which is removed at the end where it is not `kept`."""

    home: Path
    client: Client
    kept: bool = True


@contextlib.asynccontextmanager
async def place(settings: Mapping[str, str], workers: int, stop: asyncio.Event) -> AsyncIterator[Place]:
    """A system while the context is open; `stop` ends its start early."""
    os.environ.update(settings)  # what the system's processes are told
    home = Path(tempfile.mkdtemp(prefix="trips-chaos-"))
    system = System(home / "data", free_ports(), workers)
    kept = True
    try:
        with (home / "system.log").open("a") as log:

            def say(name: str, line: str) -> None:
                print(f"{name:>10} | {line}", file=log, flush=True)

            async with running(system, say, stop), calling(Target.of(system.data_dir)) as client:
                here = Place(home, client)
                yield here
                kept = here.kept
    finally:
        if not kept:
            await asyncio.to_thread(shutil.rmtree, home, ignore_errors=True)


@contextlib.asynccontextmanager
async def calling(target: Target) -> AsyncIterator[Client]:
    """A client of a running system."""
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector) as http:
        # It would send a request again by itself where a connection is cut.
        http._retry_connection = False
        yield Client(http, target)
