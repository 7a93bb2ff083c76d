"""A system of its own for attacks that need time between two attempts."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from stack.system import Ports, free_ports
from tests.conftest import RunningSystem, running_system
from tests.trials.chaos.slow_network import SlowNetwork
from trials.chaos.client import Client
from trials.chaos.place import PRECISE, calling
from trials.chaos.target import Target
from trip.partner import Partner


@pytest.fixture(scope="session")
def ports() -> Ports:
    """Where the parts of that system answer."""
    return free_ports()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def network(ports: Ports) -> AsyncIterator[SlowNetwork]:
    """The way from the workers to the hotel."""
    found = SlowNetwork(f"http://127.0.0.1:{ports.partner(Partner('hotel'))}")
    await found.start()
    yield found
    await found.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def patient(ports: Ports, network: SlowNetwork) -> AsyncIterator[RunningSystem]:
    """A running system with the settings of the crash matrix."""
    with tempfile.TemporaryDirectory(prefix="trips-chaos-", ignore_cleanup_errors=True) as place:
        settings = PRECISE | {"TRIPS_HOTEL_URL": network.url}
        system = running_system(Path(place) / "data", settings, ports)
        # In threads, since it asks for the hotel by way of the network while it starts.
        started = await asyncio.to_thread(system.__enter__)
        yield started
        await asyncio.to_thread(system.__exit__, None, None, None)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def client(patient: RunningSystem) -> AsyncIterator[Client]:
    """Calls to that system."""
    async with calling(Target.of(patient.data_dir)) as found:
        yield found
