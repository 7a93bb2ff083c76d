"""Connections to the record's PostgreSQL, also through a pooler such as pgbouncer."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from pydantic import BaseModel

from serving.postgres import AWAY, drop_if_read_only, reset_nothing

CALL_TIMEOUT_S = 5.0
CACHED_STATEMENTS = 100

_NUL, _NO_CHARACTER = r"\u0000", r"\ufffd"

Pool = asyncpg.Pool

UNUSABLE: tuple[type[Exception], ...] = (*AWAY, asyncpg.PostgresError)
"""A PostgreSQL that answers with an error is of no use either: it may not be migrated yet."""


class RecordAway(Exception):
    """PostgreSQL gave no answer, or none of use. A write may have taken effect all the same."""


class PoolerFound(RecordAway):
    """A pooler stands before the PostgreSQL that notices are to be heard from."""


@contextlib.contextmanager
def as_record_away() -> Iterator[None]:
    """Raise RecordAway for any error of PostgreSQL."""
    try:
        yield
    except UNUSABLE as error:
        raise RecordAway(f"{type(error).__name__}: {error}".removesuffix(": ")) from error


def _as_json(value: object) -> str:
    """The value as JSON without NUL: PostgreSQL keeps such a document, and then fails to look into it."""
    return json.dumps(value).replace(_NUL, _NO_CHARACTER)


def document(model: BaseModel) -> str:
    """The model as JSON without NUL, to be written as text. Faster than as an object."""
    return model.model_dump_json().replace(_NUL, _NO_CHARACTER)


async def _read_json_as_objects(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("json", encoder=_as_json, decoder=json.loads, schema="pg_catalog")


def open_pool(url: str, size: int = 10, *, through_pooler: bool = False) -> Pool:
    """A pool of at most `size` connections, with five seconds for each call; a context manager.

    It opens its first connection with the first call, so PostgreSQL may be away when the pool is entered.
    `through_pooler`: the URL may lead through a pooler that has a server for each transaction.
    """
    # Without a cache a statement is parsed in the message that runs it, so the same server does both.
    cached = 0 if through_pooler else CACHED_STATEMENTS
    return asyncpg.create_pool(
        url,
        min_size=0,
        max_size=size,
        timeout=CALL_TIMEOUT_S,
        command_timeout=CALL_TIMEOUT_S,
        init=_read_json_as_objects,
        reset=reset_nothing,
        statement_cache_size=cached,
    )


@contextlib.asynccontextmanager
async def connected(pool: Pool) -> AsyncIterator[PoolConnectionProxy]:
    """A connection for at most five seconds, the wait for it included. Raises RecordAway.

    If a call does not end in time, or the connection is about to be closed, the connection is dropped, so
    that nobody waits for it. If the server takes no writes any more, all connections are.
    """
    with as_record_away():
        async with asyncio.timeout(CALL_TIMEOUT_S), pool.acquire() as connection:
            try:
                yield connection
            except (TimeoutError, asyncio.CancelledError, asyncpg.InternalClientError):
                connection.terminate()
                raise
            except asyncpg.PostgresError as error:
                await drop_if_read_only(pool, error)
                raise


async def connect(url: str, **settings: str) -> "asyncpg.Connection[Any]":
    """A connection of its own, for a caller that listens; `settings` are the server's.

    Raises RecordAway; PoolerFound if a pooler answers at the URL.
    """
    with as_record_away():
        connection = await asyncpg.connect(
            url, timeout=CALL_TIMEOUT_S, command_timeout=CALL_TIMEOUT_S, server_settings=settings or None
        )
        try:
            # A pooler tells its clients process ids of its own making. One message, so one server answers.
            told = connection.get_server_pid()
            found = await connection.execute(f"select where pg_backend_pid() = {told}")
        except BaseException:
            connection.terminate()
            raise
    if found != "SELECT 1":
        connection.terminate()
        raise PoolerFound(
            "a pooler stands before PostgreSQL, and no notice comes through it; "
            "set TRIPS_DATABASE_DIRECT_URL to an address of PostgreSQL itself"
        )
    return connection
