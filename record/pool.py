"""Connections to the record's PostgreSQL."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from serving.postgres import AWAY

CALL_TIMEOUT_S = 5.0

Pool = asyncpg.Pool

UNUSABLE: tuple[type[Exception], ...] = (*AWAY, asyncpg.PostgresError)
"""A PostgreSQL that answers with an error is of no use either: it may be read-only, or not migrated yet."""


class RecordAway(Exception):
    """PostgreSQL gave no answer, or none of use. A write may have taken effect all the same."""


@contextlib.contextmanager
def as_record_away() -> Iterator[None]:
    """Raise RecordAway for any error of PostgreSQL."""
    try:
        yield
    except UNUSABLE as error:
        raise RecordAway(f"{type(error).__name__}: {error}".removesuffix(": ")) from error


def _as_json(value: object) -> str:
    """The value as JSON without NUL: PostgreSQL keeps such a document, and then fails to look into it."""
    return json.dumps(value).replace(r"\u0000", r"\ufffd")


async def _read_json_as_objects(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("json", encoder=_as_json, decoder=json.loads, schema="pg_catalog")


def open_pool(url: str, size: int = 10) -> Pool:
    """A pool of at most `size` connections, with five seconds for each call; a context manager.

    It opens its first connection with the first call, so PostgreSQL may be away when the pool is entered.
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
    """A connection for at most five seconds, the wait for it included. Raises RecordAway.

    If a call does not end in time, or the connection is about to be closed, the connection is dropped, so
    that nobody waits for it.
    """
    with as_record_away():
        async with asyncio.timeout(CALL_TIMEOUT_S), pool.acquire() as connection:
            try:
                yield connection
            except (TimeoutError, asyncio.CancelledError, asyncpg.InternalClientError):
                connection.terminate()
                raise


async def connect(url: str, **settings: str) -> "asyncpg.Connection[Any]":
    """A connection of its own, for a caller that listens; `settings` are the server's. Raises RecordAway."""
    with as_record_away():
        return await asyncpg.connect(
            url, timeout=CALL_TIMEOUT_S, command_timeout=CALL_TIMEOUT_S, server_settings=settings or None
        )
