"""`temporal workflow reset` to every workflow task of a trip, for every kind of end: all stores agree."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client

from tests.conftest import RunningSystem, running_system
from tests.patience import PATIENCE_S
from tests.replay.ways_out import ENVIRONMENT, OUTLASTED, WAYS_OUT, WayOut
from trials.orders import order, some_day
from trials.traveller import Traveller
from trip.trip import Trip

DEADLINES_S = (2, 8, 32)
TAKEN = {"held", "confirmed"}


async def confirmed_before_a_short_deadline(traveller: Traveller, client: Client) -> str:
    """Confirmed in more than one workflow task, and reset when its deadline has passed."""
    for deadline_s in DEADLINES_S:
        await traveller.break_partner("flight", error_rate=1, status=503, verbs=["PUT"], count=1)
        before = time.monotonic()
        trip = await traveller.book(order(deadline_s=deadline_s), wait=60)
        if trip["status"] == "confirmed":
            await asyncio.sleep(max(0, before + deadline_s + 0.5 - time.monotonic()))
            return str(trip["trip_id"])
        assert trip["failure"]["code"] == "deadline_exceeded", trip
    raise TimeoutError("no trip was confirmed before its deadline")


async def sold_out_and_free_again(traveller: Traveller, client: Client) -> str:
    """The only room was taken, and is free when the trip is reset."""
    day = some_day()
    room = {
        "hotel_id": "OSA-POD",
        "check_in": str(day),
        "check_out": str(day + timedelta(days=1)),
        "rooms": 1,
    }
    first = await traveller.book(order(hotel=room), wait=60)
    assert first["status"] == "confirmed", first
    trip = await traveller.book(order(hotel=room), wait=60)
    assert (trip["status"], trip["failure"]["code"]) == ("failed", "sold_out")
    await traveller.release("hotel", first["trip_id"])
    return str(trip["trip_id"])


ENDS: dict[str, WayOut] = {
    "confirmed after its deadline": confirmed_before_a_short_deadline,
    "sold out and free again": sold_out_and_free_again,
    **{
        name: WAYS_OUT[name]
        for name in (
            "points_pay_all",
            "payment_declined",
            "retries_used_up",
            "deadline",
            "cancelled_late",
            "hold_expired",
            "release_stuck_then_retried",
            "confirm_stuck_then_through",
        )
    },
}


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """A system of short waits, as the recorded histories come from."""
    place: Path = tmp_path_factory.mktemp("reset")
    with running_system(place / "data", ENVIRONMENT) as system:
        yield system


@pytest_asyncio.fixture(loop_scope="session")
async def client(short: RunningSystem) -> Client:
    """A client of its Temporal server."""
    return await Client.connect(short.temporal, data_converter=short.converter())


@pytest_asyncio.fixture(loop_scope="session")
async def caller(short: RunningSystem) -> AsyncIterator[Traveller]:
    """Books on it."""
    async with aiohttp.ClientSession() as http:
        yield short.traveller(http)


async def tasks_of(client: Client, trip_id: str) -> tuple[str, list[int]]:
    """The run of a trip, and the events that end its workflow tasks."""
    handle = client.get_workflow_handle(trip_id)
    run_id = (await handle.describe()).run_id
    history = await client.get_workflow_handle(trip_id, run_id=run_id).fetch_history()
    done = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    return run_id, [event.event_id for event in history.events if event.event_type == done]


async def reset(client: Client, trip_id: str, run_id: str, event_id: int) -> None:
    """As `temporal workflow reset --event-id`."""
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=trip_id, run_id=run_id),
            reason="a test",
            workflow_task_finish_event_id=event_id,
            request_id=str(uuid.uuid4()),
        )
    )


async def assert_agreement(caller: Traveller, client: Client, trip_id: str, status: str) -> None:
    """Workflow, record and partners all say how the trip has ended."""
    handle = client.get_workflow_handle(trip_id, result_type=Trip)
    async with asyncio.timeout(PATIENCE_S):
        result = await handle.result()
    trip = await caller.until(trip_id)
    assert (trip["status"], result.status.value) == (status, status)
    for step in trip["steps"]:
        if status == "confirmed" and step["amount_minor"] == 0:
            continue  # nothing was left to ask of this partner
        reservation = await caller.reservation(step["name"], trip_id)
        stands = reservation and reservation["status"]
        assert (stands == "confirmed") if status == "confirmed" else (stands not in TAKEN), (step, stands)


@pytest.mark.parametrize("name", ENDS)
async def test_a_trip_that_has_ended_is_reset(caller: Traveller, client: Client, name: str) -> None:
    trip_id = await ENDS[name](caller, client)
    status = (await caller.until(trip_id))["status"]
    run_id, tasks = await tasks_of(client, trip_id)
    assert tasks
    for event_id in tasks:
        await reset(client, trip_id, run_id, event_id)
        await assert_agreement(caller, client, trip_id, status)


async def stuck_release(traveller: Traveller) -> tuple[str, str]:
    """The card is declined, and the hotel does not take its release."""
    await traveller.break_partner("hotel", error_rate=1, status=503, verbs=["DELETE"])
    trip = await traveller.book(order(payment={"card_token": "tok_declined", "currency": "JPY"}))
    return trip["trip_id"], "hotel"


async def stuck_capture(traveller: Traveller) -> tuple[str, str]:
    """The payment does not answer the capture."""
    await traveller.break_partner("payment", error_rate=1, status=503, verbs=["confirm"])
    trip = await traveller.book(order())
    return trip["trip_id"], "payment"


async def stuck_refund(traveller: Traveller) -> tuple[str, str]:
    """A hold expired after the capture, and the payment does not take the refund."""
    await traveller.break_partner("hotel", **OUTLASTED)
    await traveller.break_partner("payment", error_rate=1, status=503, verbs=["DELETE"])
    trip = await traveller.book(order())
    return trip["trip_id"], "payment"


@pytest.mark.parametrize(
    ("stuck", "ends"), [(stuck_release, "failed"), (stuck_capture, "confirmed"), (stuck_refund, "failed")]
)
async def test_a_trip_that_needs_attention_is_reset(
    caller: Traveller,
    client: Client,
    stuck: Callable[[Traveller], Awaitable[tuple[str, str]]],
    ends: str,
) -> None:
    trip_id, partner = await stuck(caller)
    await caller.until(trip_id, "needs_attention")
    run_id, tasks = await tasks_of(client, trip_id)
    for event_id in reversed(tasks):
        await reset(client, trip_id, run_id, event_id)
    await caller.mend_partner(partner)
    await assert_agreement(caller, client, trip_id, ends)
