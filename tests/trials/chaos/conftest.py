"""A system of its own for attacks that need time between two attempts."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from stack.chosen import free_ports
from tests.conftest import running_system
from tests.trials.chaos.slow_network import SlowNetwork, slow_network
from trials.chaos.client import PRECISE, Client, calling
from trip.partner import Partner

PORTS = free_ports()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def network() -> AsyncIterator[SlowNetwork]:
    """The way from the workers to the hotel."""
    async with slow_network(f"http://127.0.0.1:{PORTS.partner(Partner('hotel'))}") as found:
        yield found


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def client(network: SlowNetwork) -> AsyncIterator[Client]:
    """Calls to a running system with the settings of the crash matrix."""
    with tempfile.TemporaryDirectory(prefix="trips-chaos-", ignore_cleanup_errors=True) as place:
        settings = PRECISE | {"TRIPS_HOTEL_URL": network.url}
        system = running_system(Path(place) / "data", settings, PORTS)
        # In threads, since it asks for the hotel by way of the network while it starts.
        started = await asyncio.to_thread(system.__enter__)
        async with calling(started) as found:
            yield found
        await asyncio.to_thread(system.__exit__, None, None, None)
