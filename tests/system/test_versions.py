"""Rows that another version has written, newer or older: they are started, served and known by their keys."""

import copy
import hashlib
import json
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from record import trips
from record.pool import Pool
from record.trips import LEASE, Request
from tests.conftest import RunningSystem
from tests.record.test_accepting import booking
from tests.system.test_idempotency import keyed
from tests.system.test_supervision import eventually
from trials.orders import Json, own_order
from trials.traveller import Traveller
from trip.order import TripOrder
from trip.trip import Booking, Trip

Change = Callable[[Json, Json], None]
"""Changes a booking and a trip to what another version writes."""


def newer(booked: Json, trip: Json) -> None:
    """With fields that this version does not know."""
    booked["channel"] = "web"
    booked["order"]["insurance"] = "none"
    booked["order"]["traveller"]["phone"] = "+81 3"
    booked["order"]["hotel"]["view"] = "sea"
    booked["links"]["map"] = "/map"
    trip["risk"] = 3
    trip["total"]["tax_minor"] = 0
    for step in trip["steps"]:
        step["rating"] = None


def older(booked: Json, trip: Json) -> None:
    """Without fields that came later."""
    for field in ("coordination", "deadline_s", "when_partner_down"):
        del booked["order"][field]
    for field in ("coordination", "interventions", "failure"):
        del trip[field]
    for step in trip["steps"]:
        for field in ("held_at", "expires_at", "confirmation", "release"):
            del step[field]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def record(system: RunningSystem) -> AsyncIterator[Pool]:
    """The shared system's record."""
    async with system.way.open() as opened:
        yield opened


async def write(record: Pool, order: Json, change: Change, key: str, body_hash: bytes = b"") -> str:
    """Write a trip that is not started, as another version would. Returns its id."""

    def booked_at(at: Any) -> Booking:
        return booking(at).model_copy(update={"tenant": "default", "order": TripOrder.model_validate(order)})

    accepted = await trips.accept(record, Request(booked_at, "default", key, body_hash), LEASE)
    assert isinstance(accepted, Booking)
    booked = accepted.model_dump(mode="json")
    trip = await record.fetchval("select trip from trips where trip_id = $1", accepted.trip_id)
    change(booked, trip)
    await record.execute(
        """
        with events as (update trip_events set trip = $3 where trip_id = $1)
        update trips set booking = $2, trip = $3 where trip_id = $1
        """,
        accepted.trip_id,
        booked,
        trip,
    )
    return accepted.trip_id


def shape(value: Any) -> Any:
    """The names of all fields."""
    if isinstance(value, list):
        return [shape(item) for item in value]
    return {name: shape(inner) for name, inner in value.items()} if isinstance(value, dict) else None


async def first_listed(traveller: Traveller, email: str) -> Json:
    status, page = await traveller.call("GET", f"/trips?email={email}")
    assert status == 200, page
    (trip,) = page["items"]
    return dict(trip)


@pytest.mark.parametrize("change", [newer, older])
async def test_a_row_of_another_version(traveller: Traveller, record: Pool, change: Change) -> None:
    body, key = own_order(), str(uuid.uuid4())
    # Versions once hashed all fields, with those that only they knew.
    hashed = hashlib.sha256(json.dumps(body | {"more": None}).encode()).digest()
    trip_id = await write(record, body, change, key, hashed)
    shown = await traveller.trip(trip_id)
    today = Trip.model_validate(shown).model_dump(mode="json")
    assert shape(shown) == shape(today)
    assert await first_listed(traveller, body["traveller"]["email"]) == shown
    status, again = await traveller.call("POST", "/trips", json=body, headers=keyed(key))
    assert (status, shape(again)) == (200, shape(today)), again
    other = body | {"deadline_s": 77}
    status, problem = await traveller.call("POST", "/trips", json=other, headers=keyed(key))
    assert (status, problem.get("code")) == (422, "idempotency_key_reused")
    await record.execute("update trips set owed_from = now() where trip_id = $1", trip_id)
    assert (await traveller.until(trip_id))["status"] == "confirmed"
    events = [event.trip async for event in traveller.events(trip_id)]
    assert shape(events[0]) == shape(today)


async def test_a_part_that_is_unknown_here_is_not_left_out(traveller: Traveller, record: Pool) -> None:
    def with_a_cruise(booked: Json, trip: Json) -> None:
        booked["order"]["cruise"] = {"ship": "Asuka"}
        trip["steps"].append(copy.deepcopy(trip["steps"][0]) | {"name": "cruise"})

    body = own_order()
    trip_id = await write(record, body, with_a_cruise, str(uuid.uuid4()))
    await record.execute("update trips set owed_from = now() where trip_id = $1", trip_id)

    async def tried() -> bool:
        return bool(await record.fetchval("select owed_from > now() from trips where trip_id = $1", trip_id))

    await eventually(tried)
    shown = await traveller.trip(trip_id)
    assert (shown["status"], shown["steps"][-1]["name"]) == ("booking", "cruise")
    assert await first_listed(traveller, body["traveller"]["email"]) == shown
    status, problem = await traveller.call("POST", f"/trips/{trip_id}/cancel")
    assert (status, problem["code"]) == (503, "not_started")
    await record.execute("delete from trips where trip_id = $1", trip_id)


async def test_words_that_are_unknown_here_are_shown_as_written(
    system: RunningSystem, traveller: Traveller, record: Pool
) -> None:
    def with_newer_words(booked: Json, trip: Json) -> None:
        booked["order"]["when_partner_down"] = "ask"
        trip["status"], trip["steps"][0]["status"] = "on_hold", "quoted"
        trip["interventions"] = [{"step": None, "action": "annul", "who": "Ada", "at": trip["created_at"]}]

    body = own_order()
    trip_id = await write(record, body, with_newer_words, str(uuid.uuid4()))
    await record.execute("update trips set status = 'on_hold' where trip_id = $1", trip_id)
    shown = await traveller.trip(trip_id)
    assert (shown["status"], shown["steps"][0]["status"]) == ("on_hold", "quoted")
    assert shown["interventions"][0]["action"] == "annul"
    assert await first_listed(traveller, body["traveller"]["email"]) == shown
    status, problem = await traveller.call("POST", f"/trips/{trip_id}/cancel")
    assert (status, problem["code"]) == (503, "not_started")
    async with traveller.http.get(f"{system.api}/metrics") as answer:
        assert answer.status == 200
    await record.execute("delete from trips where trip_id = $1", trip_id)


async def test_the_front_door_still_refuses_unknown_fields(traveller: Traveller) -> None:
    for more in ({"insurance": "none"}, {"coordination": "telepathy"}):
        status, problem = await traveller.call("POST", "/trips", json=own_order() | more)
        assert (status, problem["errors"][0]["field"]) == (422, *more)
