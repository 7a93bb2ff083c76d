"""A trip is written once, or its caller is told that it was not."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from asyncpg.pool import PoolConnectionProxy

from record import trips
from record.pool import Pool, RecordAway, connected, open_pool
from record.trips import Accepted
from tests.guard.own_postgres import OwnPostgres
from trials.orders import bench_order
from trip.order import TripOrder
from trip.trip import Booking, Links, new_trip

BOUND_S = 30.0
LOOK_EVERY_S = 0.05


def booking(at: datetime) -> Booking:
    """A trip's booking, accepted at this time."""
    trip_id = str(uuid.uuid4())
    return Booking(
        trip_id=trip_id,
        tenant="accepting",
        order=TripOrder.model_validate(bench_order()),
        accepted_at=at,
        links=Links(self_=f"/trips/{trip_id}", events=f"/trips/{trip_id}/events", temporal_ui="http://ui"),
    )


def accepted(one: Booking, key: str | None = None) -> Accepted:
    """What the front door writes of it."""
    return Accepted(new_trip(one), one.tenant, key, b"", one.model_dump(mode="json"))


class FreezesAfterFirst:
    """A connection whose server answers nothing any more once it has answered a call."""

    def __init__(self, connection: PoolConnectionProxy, server: OwnPostgres) -> None:
        self.pid = connection.get_server_pid()
        self._connection = connection
        self._server = server

    async def fetchval(self, *arguments: Any) -> Any:
        answer = await self._connection.fetchval(*arguments)
        self._server.freeze()
        return answer


async def test_an_insert_that_comes_late_inserts_nothing(
    server: OwnPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections: list[FreezesAfterFirst] = []

    @contextlib.asynccontextmanager
    async def freezing(pool: Pool) -> AsyncIterator[FreezesAfterFirst]:
        async with connected(pool) as connection:
            connections.append(FreezesAfterFirst(connection, server))
            yield connections[-1]

    trip = accepted(booking(datetime.now(UTC)))
    async with open_pool(server.database_url, size=1) as pool:
        # With its statement prepared, the insert is sent in one go.
        assert await trips.accept(pool, accepted(booking(datetime.now(UTC)))) is None
        monkeypatch.setattr(trips, "connected", freezing)
        try:
            with pytest.raises(RecordAway):
                await trips.accept(pool, trip)
        finally:
            server.thaw()
    await ended(server, connections[0].pid)
    connection = await asyncpg.connect(server.database_url, timeout=10)
    assert not await connection.fetchval("select true from trips where trip_id = $1", trip.trip.trip_id)
    await connection.close(timeout=5)


async def ended(server: OwnPostgres, pid: int) -> None:
    """Wait until the connection's process has done all that it was sent."""
    connection = await asyncpg.connect(server.database_url, timeout=10)
    async with asyncio.timeout(BOUND_S):
        while await connection.fetchval("select true from pg_stat_activity where pid = $1", pid):
            await asyncio.sleep(LOOK_EVERY_S)
    await connection.close(timeout=5)


async def test_of_many_at_once_one_writes_and_the_others_read_it(server: OwnPostgres) -> None:
    now = datetime.now(UTC)
    async with open_pool(server.database_url) as pool:
        found = await asyncio.gather(*(trips.accept(pool, accepted(booking(now), "k")) for _ in range(100)))
    assert found.count(None) == 1
    assert len({known.trip["trip_id"] for known in found if known}) == 1
