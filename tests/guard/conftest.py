"""Schemas of these tests' own in the shared database, one with the real clock, one with a clock by hand."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.guard.fleet import HAND_CLOCK, Fleet, System, drop_schema, in_schema, make_schema
from tests.patience import PATIENCE_S


@pytest.fixture(scope="session")
async def real_clock_url(system: System) -> AsyncIterator[str]:
    schema = await make_schema(system.database_url)
    yield in_schema(system.database_url, schema)
    await drop_schema(system.database_url, schema)


@pytest.fixture(scope="session")
async def hand_clock_url(system: System) -> AsyncIterator[str]:
    schema = await make_schema(system.database_url, HAND_CLOCK)
    yield in_schema(system.database_url, schema)
    await drop_schema(system.database_url, schema)


@pytest.fixture
async def fleet(hand_clock_url: str) -> AsyncIterator[Fleet]:
    connection = await asyncpg.connect(hand_clock_url, timeout=PATIENCE_S, command_timeout=PATIENCE_S)
    yield Fleet([connection])
    await connection.close(timeout=PATIENCE_S)
