"""The worker's end: what is in flight is finished or given back."""

import asyncio
import os
import signal

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client, WorkflowHandle

from tests.conftest import RunningSystem
from tests.system.test_supervision import eventually
from trials.orders import order
from trials.traveller import Traveller

HOLD = "reserve_hotel"
STARTED = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED

Trip = WorkflowHandle[object, object]


async def test_a_drained_worker_loses_no_call(system: RunningSystem, traveller: Traveller) -> None:
    await traveller.break_partner("hotel", latency_ms=3000, verbs=["PUT"], count=10)
    client = await Client.connect(system.temporal)
    trips = [client.get_workflow_handle((await traveller.book(order()))["trip_id"]) for _ in range(5)]

    async def under_way() -> bool:
        return all([await _is_started(trip) for trip in trips])

    await eventually(under_way)
    os.kill(system.pid("worker-1"), signal.SIGTERM)
    ended = await asyncio.gather(*(traveller.until(trip.id) for trip in trips))
    assert {trip["status"] for trip in ended} == {"confirmed"}, ended
    # The server gave each call to a worker once: the calls under way were finished, not sent again.
    assert [await _given_out(trip) for trip in trips] == [1] * 5


async def _is_started(trip: Trip) -> bool:
    """Whether a worker has the trip's hold as an ordinary activity."""
    pending = (await trip.describe()).raw_description.pending_activities
    return any(one.activity_type.name == HOLD and one.state == STARTED for one in pending)


async def _given_out(trip: Trip) -> int:
    """How often the server gave the trip's ordinary hold to a worker."""
    events = [event async for event in trip.fetch_history_events()]
    ordered = {
        event.event_id
        for event in events
        if event.activity_task_scheduled_event_attributes.activity_type.name == HOLD
    }
    started = [event.activity_task_started_event_attributes for event in events]
    return sum(one.attempt for one in started if one.scheduled_event_id in ordered)
