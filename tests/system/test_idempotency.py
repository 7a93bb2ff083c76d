"""One key, one trip: however often, however many at once, whatever dies meanwhile, however much later."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import aiohttp
import asyncpg
import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from api.trips import body_hash
from tests.conftest import RunningSystem
from tests.patience import PATIENCE_S
from tests.system.conftest import Orders
from tests.system.freezing import kill
from tests.system.test_supervision import eventually
from tests.system.test_trips import charged
from trials.orders import Json, own_order
from trials.traveller import Traveller
from trip.order import Coordination, TripOrder

AT_ONCE = 200
AGAIN_S = 0.1
DELETED_WITHIN_S = 90.0
"""Temporal takes its time to delete a workflow that has just ended."""


async def booked_for(traveller: Traveller, body: Json) -> list[str]:
    """The ids of all trips of the order's traveller."""
    status, page = await traveller.call("GET", f"/trips?email={body['traveller']['email']}")
    assert status == 200, page
    return [trip["trip_id"] for trip in page["items"]]


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


async def test_many_at_once_book_one_trip(traveller: Traveller, own_order: Orders) -> None:
    body, key = own_order(), str(uuid.uuid4())
    before = await charged(traveller)
    answers = await asyncio.gather(*(until_answered(traveller, body, key) for _ in range(AT_ONCE)))
    assert {status for status, _ in answers} <= {200, 202}
    assert sum(status == 202 for status, _ in answers) <= 1
    (trip_id,) = {trip["trip_id"] for _, trip in answers}
    trip = await traveller.until(trip_id)
    assert trip["status"] == "confirmed", trip
    assert await booked_for(traveller, body) == [trip_id]
    assert await charged(traveller) - before == trip["total"]["amount_minor"]


async def test_another_body_under_the_key_is_refused_for_all(traveller: Traveller, own_order: Orders) -> None:
    body, key = own_order(), str(uuid.uuid4())
    trip = await traveller.book(body, key=key)
    others = [body | {"deadline_s": 100 + number} for number in range(50)]
    answers = await asyncio.gather(
        *(traveller.call("POST", "/trips", json=other, headers=keyed(key)) for other in others)
    )
    assert {(status, answer["code"]) for status, answer in answers} == {(422, "idempotency_key_reused")}
    assert await booked_for(traveller, body) == [trip["trip_id"]]


SAME: dict[str, Callable[[Json], str]] = {
    "other order of fields": lambda body: json.dumps(reversed_fields(body)),
    "whitespace": lambda body: json.dumps(body, indent=4),
    "explicit defaults": lambda body: json.dumps(
        body | {"deadline_s": 300, "when_partner_down": "fail", "tour": None}
    ),
    "whole numbers with a fraction": lambda body: json.dumps(body | {"deadline_s": 300.0}),
    "escaped letters": lambda body: json.dumps(body).replace("Ada", "\\u0041da"),
}


def reversed_fields(body: Any) -> Any:
    """The same with the fields of each object the other way round."""
    if not isinstance(body, dict):
        return body
    return {name: reversed_fields(body[name]) for name in reversed(body)}


@pytest.mark.parametrize("written", SAME.values(), ids=SAME)
async def test_bodies_compare_by_value(
    traveller: Traveller, written: Callable[[Json], str], own_order: Orders
) -> None:
    body, key = own_order(tour=None), str(uuid.uuid4())
    trip = await traveller.book(body, key=key)
    headers = keyed(key) | {"Content-Type": "application/json"}
    status, again = await traveller.call("POST", "/trips", data=written(body), headers=headers)
    assert (status, again["trip_id"]) == (200, trip["trip_id"])


async def test_a_key_holds_whoever_the_body_says_coordinates_it(
    traveller: Traveller, own_order: Orders, coordination: Coordination
) -> None:
    body, key = own_order(), str(uuid.uuid4())
    trip = await traveller.book(body, key=key)
    (other,) = {*get_args(Coordination)} - {coordination}
    said = {None: (200, trip["trip_id"]), other: (422, None)}
    for coordinator, expected in said.items():
        again = body | {"coordination": coordinator}
        status, answer = await traveller.call("POST", "/trips", json=again, headers=keyed(key))
        assert (status, answer.get("trip_id")) == expected


async def test_many_at_once_book_one_trip_although_the_api_is_killed(
    traveller: Traveller, system: RunningSystem, own_order: Orders
) -> None:
    body, key = own_order(), str(uuid.uuid4())
    booking = [asyncio.create_task(until_answered(traveller, body, key)) for _ in range(AT_ONCE)]
    await asyncio.wait(booking, return_when=asyncio.FIRST_COMPLETED)
    await kill(system, "api")
    answers = await asyncio.gather(*booking)
    assert {status for status, _ in answers} <= {200, 202}
    assert sum(status == 202 for status, _ in answers) <= 1
    (trip_id,) = {trip["trip_id"] for _, trip in answers}
    assert (await traveller.until(trip_id))["status"] == "confirmed"
    assert await booked_for(traveller, body) == [trip_id]


async def until_answered(traveller: Traveller, body: Json, key: str) -> tuple[int, Any]:
    """The first answer that is neither an error of the connection nor a word to come again."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                status, answer = await traveller.call("POST", "/trips", json=body, headers=keyed(key))
                if status != 503:
                    return status, answer
            await asyncio.sleep(AGAIN_S)


async def test_a_key_holds_when_the_history_is_gone(traveller: Traveller, system: RunningSystem) -> None:
    body, key = own_order(), str(uuid.uuid4())
    trip = await traveller.book(body, key=key, wait=60)
    client = await Client.connect(system.temporal)
    request = DeleteWorkflowExecutionRequest(
        namespace=client.namespace, workflow_execution=WorkflowExecution(workflow_id=trip["trip_id"])
    )
    await client.workflow_service.delete_workflow_execution(request)

    async def gone() -> bool:
        try:
            await client.get_workflow_handle(trip["trip_id"]).describe()
        except RPCError as error:
            return error.status is RPCStatusCode.NOT_FOUND
        return False

    await eventually(gone, DELETED_WITHIN_S)
    assert await traveller.call("POST", "/trips", json=body, headers=keyed(key)) == (200, trip)
    assert await traveller.trip(trip["trip_id"]) == trip
    assert await gone()


async def test_a_key_holds_when_the_dates_have_passed(
    traveller: Traveller, system: RunningSystem, own_order: Orders
) -> None:
    body, key = own_order(), str(uuid.uuid4())
    past = own_order(day=datetime.now(UTC).date() - timedelta(days=9))
    trip = await traveller.book(body, key=key, wait=60)
    headers = keyed(key)
    record = await asyncpg.connect(system.database_url, timeout=PATIENCE_S)
    await record.execute(
        "update trips set body_hash = $2 where trip_id = $1",
        trip["trip_id"],
        body_hash(TripOrder.model_validate(past)),
    )
    await record.close(timeout=PATIENCE_S)
    assert await traveller.call("POST", "/trips", json=past, headers=headers) == (200, trip)
    status, answer = await traveller.call("POST", "/trips", json=past, headers=keyed(str(uuid.uuid4())))
    assert (status, answer["code"]) == (422, "invalid")
