"""The starter by itself, on a record and a namespace of its own in which no worker runs."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError

from api.coordination import CoordinatorAway
from api.starter import NOT_CLAIMED, STARTS_AT_ONCE, Starter
from api.temporal import Temporal
from record import trips
from record.pool import Pool
from temporal import attributes
from tests.conftest import RunningSystem
from tests.record.empty import empty_record
from tests.record.test_accepting import TENANT, request
from tests.system.test_supervision import eventually
from trip.trip import Booking


class Noticed(Temporal):
    """Temporal, which says when it has started a trip."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self.some_started = asyncio.Event()

    async def start(self, booking: Booking) -> None:
        await super().start(booking)
        self.some_started.set()


OWED = 6 * STARTS_AT_ONCE
LIMIT = 10_000
RETENTION = timedelta(days=1)


@pytest.fixture
async def record(system: RunningSystem) -> AsyncIterator[Pool]:
    """An empty record."""
    async with empty_record(system.database_url) as way, way.open() as pool:
        yield pool


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


async def accept(record: Pool, starter: Starter | None = None) -> str:
    """Accept a trip by this starter, or as a front door that is behind does."""
    one = await (starter.accept(request()) if starter else trips.accept(record, request(), NOT_CLAIMED))
    assert isinstance(one, Booking)
    return one.trip_id


async def starts(client: Client, trip_ids: list[str]) -> list[datetime]:
    """When the trips' workflows were started."""
    return [(await client.get_workflow_handle(trip_id).describe()).start_time for trip_id in trip_ids]


async def test_what_is_owed_starts_across_restarts_and_what_is_new_beside_it(
    record: Pool, client: Client
) -> None:
    ids = [await accept(record) for _ in range(OWED)]

    first = Noticed(client)
    async with Starter("orchestration", first, record, LIMIT).draining():
        await first.some_started.wait()
    assert 0 < (await trips.backlog(record, "orchestration", OWED)).size < OWED

    second = Starter("orchestration", Temporal(client), record, LIMIT)
    async with second.draining():
        ids += [await accept(record, second) for _ in range(20)]

        async def all_started() -> bool:
            return (await trips.backlog(record, "orchestration", 1)).size == 0

        await eventually(all_started)
    assert len(await starts(client, ids)) == OWED + 20


async def test_it_is_full_from_the_start_where_the_record_is(record: Pool, client: Client) -> None:
    for _ in range(3):
        await accept(record)
    nowhere = await Client.connect("127.0.0.1:1", lazy=True, data_converter=pydantic_data_converter)
    starter = Starter("orchestration", Temporal(nowhere), record, 2 * 4)
    async with starter.draining():
        assert not starter.is_full(TENANT)
        accepting = asyncio.create_task(accept(record, starter))
        await asyncio.sleep(0)
        assert starter.is_full(TENANT)
        await accepting
        assert starter.is_full(TENANT)


@pytest.mark.server  # a process with a client may abort at its end, which make check must not
async def test_a_server_that_was_never_reached_counts_as_away() -> None:
    nowhere = await Client.connect("127.0.0.1:1", lazy=True, data_converter=pydantic_data_converter)
    with pytest.raises(CoordinatorAway) as away:
        await Temporal(nowhere).cancel("a trip")
    assert away.value.code == "temporal_unavailable"
