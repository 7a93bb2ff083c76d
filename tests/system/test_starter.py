"""The starter by itself, on a record and a namespace of its own in which no worker runs."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError

from api.coordination import CoordinatorAway
from api.starter import BATCH, Starter
from api.temporal import Temporal
from record import trips
from record.pool import Pool, open_pool
from temporal import attributes
from tests.conftest import RunningSystem
from tests.guard.fleet import execute, in_schema
from tests.record.test_accepting import request
from tests.system.test_supervision import eventually
from trials.filling import migrate
from trip.trip import Booking

OWED = 2 * BATCH + 50
LIMIT = 10_000
RETENTION = timedelta(days=1)


@pytest.fixture
async def record(system: RunningSystem) -> AsyncIterator[Pool]:
    """An empty record."""
    schema = f"record_{uuid.uuid4().hex}"
    await execute(system.database_url, f"create schema {schema}")
    url = in_schema(system.database_url, schema)
    connection = await asyncpg.connect(url, timeout=10)
    await migrate(connection)
    await connection.close(timeout=5)
    async with open_pool(url) as pool:
        yield pool
    await execute(system.database_url, f"drop schema {schema} cascade")


@pytest.fixture(scope="module")
async def client(system: RunningSystem) -> Client:
    """A namespace in which workflows start and nothing else happens."""
    namespace = f"starter-{uuid.uuid4().hex}"
    client = await Client.connect(
        system.temporal, namespace=namespace, data_converter=pydantic_data_converter
    )
    request = RegisterNamespaceRequest(namespace=namespace)
    request.workflow_execution_retention_period.FromTimedelta(RETENTION)
    await client.workflow_service.register_namespace(request)

    async def known() -> bool:
        try:
            return await attributes.register(client) == []
        except RPCError:  # the namespace is not known everywhere yet
            return False

    await eventually(known)
    return client


async def accept(record: Pool, starter: Starter | None = None, at: datetime | None = None) -> str:
    """Accept a trip as the front door does, and hand it to the starter."""
    one = await trips.accept(record, request())
    assert isinstance(one, Booking)
    if at:
        await record.execute("update trips set created_at = $2 where trip_id = $1", one.trip_id, at)
    if starter:
        starter.start_soon(one)
    return one.trip_id


async def starts(client: Client, trip_ids: list[str]) -> list[datetime]:
    """When the trips' workflows were started."""
    return [(await client.get_workflow_handle(trip_id).describe()).start_time for trip_id in trip_ids]


async def test_what_is_owed_starts_in_order_across_restarts_and_is_not_overtaken(
    record: Pool, client: Client
) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    ids = [await accept(record, at=long_ago + timedelta(seconds=number)) for number in range(OWED)]

    async def some_started() -> bool:
        return await trips.backlog_size(record, OWED) < OWED

    async with Starter(Temporal(client), record, LIMIT).draining():
        await eventually(some_started)
    assert await trips.backlog_size(record, OWED) > 0

    second = Starter(Temporal(client), record, LIMIT)
    async with second.draining():
        ids += [await accept(record, second) for _ in range(20)]

        async def all_started() -> bool:
            return await trips.backlog_size(record, 1) == 0

        await eventually(all_started)
    started = await starts(client, ids)
    assert started == sorted(started)


async def test_a_booking_that_cannot_be_read_holds_up_nobody(record: Pool, client: Client) -> None:
    unreadable, ahead = await accept(record), await accept(record)
    await record.execute("""update trips set booking = '{}' where trip_id = $1""", unreadable)
    starter = Starter(Temporal(client), record, LIMIT)
    async with starter.draining():

        async def it_alone_is_left() -> bool:
            return [row["trip_id"] for row in await owed(record)] == [unreadable]

        await eventually(it_alone_is_left)
    assert await starts(client, [ahead])


async def owed(record: Pool) -> list[asyncpg.Record]:
    """All trips that are not known to have started."""
    return await trips.backlog(record, trips.OLDEST, 0, LIMIT)


async def test_it_is_full_from_the_start_where_the_record_is(record: Pool, client: Client) -> None:
    for _ in range(3):
        await accept(record)
    nowhere = await Client.connect("127.0.0.1:1", lazy=True, data_converter=pydantic_data_converter)
    starter = Starter(Temporal(nowhere), record, 4)
    async with starter.draining():
        assert not starter.is_full()
        with starter.accepting():
            assert starter.is_full()
        await accept(record, starter)
        assert starter.is_full()


@pytest.mark.server  # a process with a client may abort at its end, which make check must not
async def test_a_server_that_was_never_reached_counts_as_away() -> None:
    nowhere = await Client.connect("127.0.0.1:1", lazy=True, data_converter=pydantic_data_converter)
    with pytest.raises(CoordinatorAway) as away:
        await Temporal(nowhere).cancel("a trip")
    assert away.value.code == "temporal_unavailable"
