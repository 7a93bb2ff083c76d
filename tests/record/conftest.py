"""A PostgreSQL of these tests' own, and a record of 100,000 trips on it."""

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from record.pool import Pool
from tests import pooler
from tests.guard.own_postgres import OwnPostgres, own_postgres
from tests.pooler import Way
from trials.filling import fill, migrate

TRIPS = 100_000


@pytest.fixture(scope="session")
async def server() -> AsyncIterator[OwnPostgres]:
    """A server with every table in it, which tests may stop for a while."""
    with own_postgres() as started:
        connection = await asyncpg.connect(started.database_url, timeout=10)
        await migrate(connection)
        await connection.close(timeout=5)
        yield started


@pytest.fixture(scope="session")
def way(server: OwnPostgres) -> Iterator[Way]:
    """How pools reach the server's record; who listens to it takes the server's own URL."""
    with pooler.shared(server.database_url) as found:
        yield found


@pytest.fixture(scope="session")
async def full_record(server: OwnPostgres, way: Way) -> AsyncIterator[Pool]:
    connection = await asyncpg.connect(server.database_url, timeout=10)
    await fill(connection, TRIPS)
    await connection.close(timeout=5)
    async with way.open() as pool:
        yield pool
