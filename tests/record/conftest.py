"""A record of 100,000 trips on a PostgreSQL of these tests' own."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from record.pool import Pool, open_pool
from tests.breaker.own_postgres import own_postgres
from tests.record.filling import fill, migrate

TRIPS = 100_000


@pytest.fixture(scope="session")
async def full_record() -> AsyncIterator[Pool]:
    with own_postgres() as server:
        connection = await asyncpg.connect(server.database_url, timeout=10)
        await migrate(connection)
        await fill(connection, TRIPS)
        await connection.close(timeout=5)
        async with open_pool(server.database_url) as pool:
            yield pool
