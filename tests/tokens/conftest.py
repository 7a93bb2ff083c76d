"""A PostgreSQL of these tests' own, with the tables of the trips' record."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from record.pool import Pool, open_pool
from tests.guard.own_postgres import OwnPostgres, own_postgres
from tests.tokens.processes import BIN, ROOT, run


@pytest.fixture(scope="session")
def server() -> Iterator[OwnPostgres]:
    """The server, which tests may freeze."""
    with own_postgres() as started:
        yield started


@pytest.fixture(scope="session")
async def database_url(server: OwnPostgres) -> str:
    """Its database, migrated."""
    url = f"{server.database_url}?sslmode=disable"
    migrate = [
        str(BIN / "dbmate"),
        "--migrations-dir",
        str(ROOT / "record" / "migrations"),
        "--no-dump-schema",
        "migrate",
    ]
    ended = await asyncio.to_thread(run, migrate, DATABASE_URL=url)
    assert ended.returncode == 0, ended.stderr
    return url


@pytest.fixture(scope="session")
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """Connections to it."""
    async with open_pool(database_url, size=4) as opened:
        yield opened
