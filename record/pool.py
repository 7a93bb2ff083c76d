"""Connections to the record's PostgreSQL."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import asyncpg
from asyncpg.pool import PoolConnectionProxy

CALL_TIMEOUT_S = 5.0

Pool = asyncpg.Pool

AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""What a call raises where PostgreSQL is away; the last where a connection is told so and not yet closed."""


async def _read_json_as_objects(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("json", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


def open_pool(url: str, size: int = 10) -> Pool:
    """A pool of at most `size` connections, opened on first use, each call limited to five seconds.

    It is to be entered as a context manager, which needs PostgreSQL to be away for no reason: it opens
    no connection before the first call.
    """
    return asyncpg.create_pool(
        url,
        min_size=0,
        max_size=size,
        timeout=CALL_TIMEOUT_S,
        command_timeout=CALL_TIMEOUT_S,
        init=_read_json_as_objects,
    )


@contextlib.asynccontextmanager
async def connected(pool: Pool) -> AsyncIterator[PoolConnectionProxy]:
    """A connection for what can be done within five seconds, the wait for it included.

    Raises what is in AWAY. A connection on which something did not end in time, or which is about to be
    closed, is dropped, so that nobody waits for it.
    """
    async with asyncio.timeout(CALL_TIMEOUT_S), pool.acquire() as connection:
        try:
            yield connection
        except (TimeoutError, asyncio.CancelledError, asyncpg.InternalClientError):
            connection.terminate()
            raise
