"""A broker for the tests that do not hurt it, one for those that do, and adapters of the running partners."""

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from calling.http import PartnerHttp
from choreography.broker import Broker, connected
from choreography.http_partner import HttpPartner
from config.clients import open_clients
from guard.view import Breakers
from record.adapter_steps import AdapterSteps
from record.pool import open_pool
from serving.upstream import Upstream
from tests.choreography.guarded import LENIENT, guarding
from tests.choreography.partner import Engines
from tests.choreography.server import Server
from tests.conftest import RunningSystem
from trip.partner import Partner

_numbers = itertools.count()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def nats(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A broker that goes on running."""
    server = Server(tmp_path_factory.mktemp("nats"))
    await server.start()
    yield server
    server.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def own_nats(tmp_path: Path) -> AsyncIterator[Server]:
    """A broker that the test may hurt."""
    server = Server(tmp_path)
    await server.start()
    yield server
    server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def broker(nats: Server) -> AsyncIterator[Broker]:
    """A connection to the broker that goes on running."""
    async with connected(nats.url, "tests") as broker:
        await broker.connection()
        yield broker


@pytest.fixture
def name() -> str:
    """A name for a test's own consumer and subjects."""
    return f"test-{next(_numbers)}"


@pytest.fixture(scope="session")
async def adapters(system: RunningSystem) -> AsyncIterator[dict[Partner, HttpPartner]]:
    """Adapters of the running partners, whose breakers stay closed."""
    upstreams = {partner: Upstream(system.partners[partner.value]) for partner in Partner}
    async with (
        open_pool(system.database_url) as pool,
        open_clients(upstreams) as clients,
        Breakers(system.database_url, LENIENT, list(Partner)) as breakers,
    ):
        guard, http = guarding(breakers), PartnerHttp(clients)
        yield {partner: HttpPartner(partner, AdapterSteps(pool, partner), guard, http) for partner in Partner}


@pytest.fixture(scope="session")
async def engines() -> AsyncIterator[Engines]:
    """The partners' engines, without partners."""
    async with AsyncExitStack() as stack:
        yield Engines(stack)
