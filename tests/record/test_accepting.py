"""A trip is written once, or its caller is told that it was not."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import asyncpg
import pytest
from asyncpg.pool import PoolConnectionProxy

from record import trips
from record.noted import NotedMessage
from record.pool import Pool, RecordAway, connected, open_pool
from record.trips import KnownKey, Request
from tests.guard.own_postgres import OwnPostgres
from tests.patience import PATIENCE_S
from tests.pooler import Way
from trials.orders import bench_order
from trip.order import TripOrder
from trip.trip import Booking, Links

TENANT = "accepting"
LOOK_EVERY_S = 0.05


def booking(accepted_at: datetime) -> Booking:
    """A trip's booking, accepted at this time."""
    trip_id = str(uuid.uuid4())
    return Booking(
        trip_id=trip_id,
        tenant=TENANT,
        order=TripOrder.model_validate(bench_order()),
        accepted_at=accepted_at,
        links=Links(self_=f"/trips/{trip_id}", events=f"/trips/{trip_id}/events", temporal_ui="http://ui"),
    )


def request(key: str | None = None) -> Request:
    """What the front door asks the record to accept."""
    return Request(booking, TENANT, key, b"")


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


@pytest.mark.direct("through a pooler no insert is sent before its parameters are described")
async def test_an_insert_that_comes_late_inserts_nothing(
    server: OwnPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections: list[FreezesAfterFirst] = []
    asked: list[str] = []

    def asked_for(accepted_at: datetime) -> Booking:
        asked.append((one := booking(accepted_at)).trip_id)
        return one

    @contextlib.asynccontextmanager
    async def freezing(pool: Pool) -> AsyncIterator[FreezesAfterFirst]:
        async with connected(pool) as connection:
            connections.append(FreezesAfterFirst(connection, server))
            yield connections[-1]

    async with open_pool(server.database_url, size=1) as pool:
        # With its statement prepared, the insert is sent in one go.
        await trips.accept(pool, Request(asked_for, TENANT, None, b""))
        monkeypatch.setattr(trips, "connected", freezing)
        try:
            with pytest.raises(RecordAway):
                await trips.accept(pool, Request(asked_for, TENANT, None, b""))
        finally:
            server.thaw()
    await ended(server, connections[0].pid)
    connection = await asyncpg.connect(server.database_url, timeout=PATIENCE_S)
    written = await connection.fetch("select trip_id from trips where trip_id = any($1)", asked)
    assert [row["trip_id"] for row in written] == asked[:1]
    await connection.close(timeout=PATIENCE_S)


async def ended(server: OwnPostgres, pid: int) -> None:
    """Wait until the connection's process has done all that it was sent."""
    connection = await asyncpg.connect(server.database_url, timeout=PATIENCE_S)
    async with asyncio.timeout(PATIENCE_S):
        while await connection.fetchval("select true from pg_stat_activity where pid = $1", pid):
            await asyncio.sleep(LOOK_EVERY_S)
    await connection.close(timeout=PATIENCE_S)


async def test_of_many_at_once_one_writes_and_the_others_read_it(way: Way) -> None:
    async with way.open() as pool:
        found = await asyncio.gather(*(trips.accept(pool, request("k")) for _ in range(100)))
    (written,) = [one for one in found if isinstance(one, Booking)]
    assert {one.trip["trip_id"] for one in found if isinstance(one, KnownKey)} == {written.trip_id}


async def test_a_trip_may_begin_as_it_is_accepted(server: OwnPostgres) -> None:
    asks: list[NotedMessage] = []

    def begins(one: Booking) -> NotedMessage:
        asks.append(
            NotedMessage(one.trip_id, f"trips/{one.trip_id}/asked", "asked", "trips", one.accepted_at, "{}")
        )
        return asks[-1]

    async with open_pool(server.database_url) as pool:
        accepted = await trips.accept(pool, request("begins"), begins=begins)
        assert isinstance(accepted, Booking)
        assert isinstance(await trips.accept(pool, request("begins"), begins=begins), KnownKey)
        ids = [one.trip_id for one in asks]
        (row,) = await pool.fetch(
            "select trip_id, sending::text, started_at = created_at from trips where trip_id = any($1)", ids
        )
        assert tuple(row) == (accepted.trip_id, "begun", True)
        (kept,) = await pool.fetch("select message_id from trip_messages where trip_id = any($1)", ids)
        assert kept["message_id"] == asks[0].message_id
        assert await trips.owed_booking(pool, accepted.trip_id) is None
