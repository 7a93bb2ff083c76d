"""A tenant with few trips does not wait behind one with many."""

import asyncio
import contextlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from config.temporal import data_converter
from temporal.start import BOOK_TRIP, fairness_key, start_trip
from tests.patience import PATIENCE_S
from tests.system.own_temporal import own_temporal
from trials.orders import bench_order
from trip.ids import new_trip_id
from trip.order import TripOrder
from trip.partner import TASK_QUEUE
from trip.trip import Booking, Links

pytestmark = pytest.mark.server

MANY, FEW = 100, 3
MOST_BEFORE = MANY // 3
"""Without fairness, all of the many come before the few. Some are on their way before the few are there."""

_ran: list[str] = []


@workflow.defn(name=BOOK_TRIP)
class Noting:
    """Notes whose trip it is, in the order in which trips are carried on."""

    @workflow.run
    async def run(self, booking: Booking) -> None:
        """End."""
        _ran.append(booking.tenant)


def booking_of(tenant: str) -> Booking:
    """A booking of the tenant."""
    return Booking(
        trip_id=new_trip_id(),
        tenant=tenant,
        order=TripOrder.model_validate(bench_order()),
        accepted_at=datetime.now(UTC),
        links=Links(self_="", events="", temporal_ui=""),
    )


async def start(client: Client, tenant: str, trips: int) -> None:
    """Start so many trips of the tenant, each for as long as it takes."""
    for _ in range(trips):
        booking, is_asked = booking_of(tenant), False
        while not is_asked:
            with contextlib.suppress(RPCError):  # a slow machine
                await start_trip(client, booking)
                is_asked = True


async def test_few_trips_pass_by_many_of_another_tenant(tmp_path: Path) -> None:
    with own_temporal(tmp_path / "temporal") as server:
        client = await Client.connect(server.address, data_converter=data_converter(None))
        async with asyncio.timeout(PATIENCE_S):
            await start(client, "large", MANY)
            await start(client, "small", FEW)
        worker = Worker(
            client,
            task_queue=TASK_QUEUE,
            workflows=[Noting],
            workflow_runner=UnsandboxedWorkflowRunner(),
            debug_mode=True,
            max_concurrent_workflow_tasks=1,
            max_concurrent_workflow_task_polls=1,
            max_cached_workflows=0,
        )
        async with asyncio.timeout(PATIENCE_S), worker:
            while _ran.count("small") < FEW:
                await asyncio.sleep(0.05)
    last = max(place for place, tenant in enumerate(_ran) if tenant == "small")
    assert _ran[:last].count("large") <= MOST_BEFORE


def test_a_long_tenant_has_a_key_that_the_server_takes() -> None:
    assert fairness_key("agency") == "agency"
    long = "Agentur für Reisen aller Art " * 5
    assert len(fairness_key(long).encode()) <= 64
    assert fairness_key(long) != fairness_key(f"{long}!")
