"""An empty record beside others on the same PostgreSQL."""

import contextlib
import uuid
from collections.abc import AsyncIterator

import asyncpg

from tests import pooler
from tests.guard.fleet import execute, in_schema
from tests.pooler import Way
from trials.filling import migrate


@contextlib.asynccontextmanager
async def empty_schema(database_url: str) -> AsyncIterator[str]:
    """The URL of a record in a schema of its own, which goes when the context ends."""
    schema = f"record_{uuid.uuid4().hex}"
    await execute(database_url, f"create schema {schema}")
    url = in_schema(database_url, schema)
    connection = await asyncpg.connect(url, timeout=10)
    await migrate(connection)
    await connection.close(timeout=5)
    yield url
    await execute(database_url, f"drop schema {schema} cascade")


@contextlib.asynccontextmanager
async def empty_record(database_url: str) -> AsyncIterator[Way]:
    """How pools reach such a record."""
    async with empty_schema(database_url) as direct:
        with pooler.shared(direct) as way:
            yield way
