"""A record for the tests of the ledger, and a broker that keeps what it is told."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from choreography.ledger import Ledger
from choreography.rows import Rules
from choreography.sealing import Seal, new_key
from record.pool import Pool, open_pool
from tests.choreography.ledger.rows import Noting
from tests.guard.own_postgres import own_postgres
from tests.patience import PATIENCE_S
from trials.filling import migrate

RULES = Rules(attention=timedelta(seconds=60), cap=timedelta(seconds=30))


@pytest.fixture(scope="session")
def database_url() -> Any:
    with own_postgres() as server:
        yield server.database_url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def record(database_url: str) -> AsyncIterator[Pool]:
    connection = await asyncpg.connect(database_url, timeout=PATIENCE_S)
    await migrate(connection)
    await connection.close(timeout=PATIENCE_S)
    async with open_pool(database_url) as pool:
        yield pool


@pytest.fixture
def broker() -> Noting:
    return Noting()


@pytest.fixture
def shown() -> list[str]:
    return []


@pytest.fixture
def ledger(record: Pool, broker: Noting, shown: list[str]) -> Ledger:
    return Ledger(record, broker, lambda trip_id, _: shown.append(trip_id), Seal(new_key()).seal, RULES)
