"""The trips' table for the audit: all of it, page by page in the order of ids, or some. Nothing is locked."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import asyncpg

from record.pool import Pool, connected

PAGE = 1000

_COLUMNS = """
    trip_id, status, version, created_at, updated_at, started_at is not null as started, coordination,
    trip, booking -> 'order' as ordered, facts ->> 'decided_at' as decided_at
    """

_EVERY_TRIP = f"select {_COLUMNS} from trips where trip_id > $1 order by trip_id limit $2"  # noqa: S608 - a constant

_SOME_TRIPS = f"select {_COLUMNS} from trips where trip_id = any($1)"  # noqa: S608 - a constant

_SOME_VERSIONS = "select trip_id, status, version from trips where trip_id = any($1)"

_EVERY_VERSION = "select trip_id, status, version from trips where trip_id > $1 order by trip_id limit $2"


async def clock(pool: Pool) -> datetime:
    """The database's time."""
    async with connected(pool) as connection:
        now: datetime = await connection.fetchval("select now()")
    return now


async def every_trip(pool: Pool) -> AsyncIterator[asyncpg.Record]:
    """All trips, with what the record holds of each one."""
    async for row in _pages(pool, _EVERY_TRIP):
        yield row


async def every_version(pool: Pool) -> AsyncIterator[asyncpg.Record]:
    """The `trip_id`, `status` and `version` of all trips."""
    async for row in _pages(pool, _EVERY_VERSION):
        yield row


async def some_trips(pool: Pool, trip_ids: Sequence[str]) -> AsyncIterator[asyncpg.Record]:
    """The trips of these ids, as `every_trip` gives them."""
    async for row in _some(pool, _SOME_TRIPS, trip_ids):
        yield row


async def some_versions(pool: Pool, trip_ids: Sequence[str]) -> AsyncIterator[asyncpg.Record]:
    """The trips of these ids, as `every_version` gives them."""
    async for row in _some(pool, _SOME_VERSIONS, trip_ids):
        yield row


async def _some(pool: Pool, sql: str, trip_ids: Sequence[str]) -> AsyncIterator[asyncpg.Record]:
    for start in range(0, len(trip_ids), PAGE):
        for row in await _fetched(pool, sql, trip_ids[start : start + PAGE]):
            yield row


async def _pages(pool: Pool, sql: str) -> AsyncIterator[asyncpg.Record]:
    after = ""
    while True:
        rows = await _fetched(pool, sql, after, PAGE)
        for row in rows:
            yield row
        if len(rows) < PAGE:
            return
        after = rows[-1]["trip_id"]


async def _fetched(pool: Pool, sql: str, *arguments: object) -> list[asyncpg.Record]:
    async with connected(pool) as connection:
        return await connection.fetch(sql, *arguments)
