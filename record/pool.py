"""Connections to the record's PostgreSQL."""

import json

import asyncpg

CALL_TIMEOUT_S = 5.0

Pool = asyncpg.Pool


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
