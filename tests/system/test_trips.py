"""Trips through the front door of the running system, and what the partners know of them afterwards."""

import asyncio
import uuid
from datetime import timedelta

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import RunningSystem
from tests.system.conftest import Orders
from tests.system.test_supervision import eventually
from trials.orders import Json, order, some_day
from trials.traveller import FINAL, Traveller
from trip.order import Coordination
from trip.partner import Partner


def steps(trip: Json) -> dict[str, Json]:
    """The steps of a trip by name."""
    return {step["name"]: step for step in trip["steps"]}


async def held_anywhere(traveller: Traveller, trip: Json) -> list[str]:
    """The partners that still hold or have confirmed something for the trip."""
    found = [(name, await traveller.reservation(name, trip["trip_id"])) for name in steps(trip)]
    return [name for name, reservation in found if reservation and reservation["status"] != "released"]


async def charged(traveller: Traveller) -> int:
    """What all cards together have been charged, in minor units."""
    ledger = await traveller.read("payment", "/ledger")
    return sum(abs(int(account["balance_minor"])) for account in ledger["accounts"]) // 2


async def test_the_example_trip_is_confirmed_at_every_partner(traveller: Traveller, order: Orders) -> None:
    body = order()
    body["traveller"]["member_id"] = "M-1001"
    trip = await traveller.book(body, wait=60)
    assert trip["status"] == "confirmed", trip
    assert trip["total"] == {"amount_minor": 54_000 + 10_000 + 64_000 - 5_000, "currency": "JPY"}
    assert list(steps(trip)) == ["hotel", "tour", "flight", "points", "payment"]
    for name, step in steps(trip).items():
        reservation = await traveller.reservation(name, trip["trip_id"])
        assert reservation is not None
        assert (reservation["status"], reservation["reference"]) == ("confirmed", step["reference"])
        assert step["status"] == "confirmed"
        assert step["attempts"] == 1
        assert reservation["amount_minor"] == step["amount_minor"]


NO_ROOM: Json = {"hotel_id": "OSA-POD", "rooms": 2}
"""The pod has one."""


@pytest.mark.parametrize(
    ("part", "change", "refusal"),
    [
        ("hotel", {"hotel_id": "NO-SUCH"}, ("hotel", "not_found")),
        ("hotel", NO_ROOM, ("hotel", "sold_out")),
        ("tour", {"tour_id": "NO-SUCH"}, ("tour", "not_found")),
        ("flight", {"flight_no": "NO-SUCH"}, ("flight", "not_found")),
        ("traveller", {"member_id": "M-1002"}, ("points", "insufficient_points")),
        ("traveller", {"member_id": "NO-SUCH"}, ("points", "not_found")),
        ("payment", {"card_token": "tok_declined"}, ("payment", "declined")),
    ],
)
async def test_a_refused_step_undoes_the_others(
    traveller: Traveller, order: Orders, part: str, change: Json, refusal: tuple[str, str]
) -> None:
    body = order()
    body[part] |= change
    trip = await traveller.book(body, wait=60)
    assert trip["status"] == "failed", trip
    assert (trip["failure"]["step"], trip["failure"]["code"]) == refusal
    step, code = refusal
    refused = steps(trip).pop(step)
    assert (refused["status"], refused["error"]["code"], refused["attempts"]) == ("failed", code, 1)
    assert await held_anywhere(traveller, trip) == []
    sent = [name for name, s in steps(trip).items() if s["status"] not in ("pending", "failed")]
    assert {steps(trip)[name]["status"] for name in sent} <= {"released"}


async def test_a_key_that_was_closed_before_its_hold_refuses_it(traveller: Traveller, order: Orders) -> None:
    await traveller.break_partner("tour", latency_ms=500, verbs=["PUT"], count=1)
    trip = await traveller.book(order())
    await traveller.release("tour", trip["trip_id"])
    trip = await traveller.until(trip["trip_id"])
    assert (trip["status"], trip["failure"]["step"], trip["failure"]["code"]) == ("failed", "tour", "closed")
    assert await held_anywhere(traveller, trip) == []


async def test_a_partner_that_fails_at_first_is_called_again(traveller: Traveller, order: Orders) -> None:
    await traveller.break_partner("flight", error_rate=1, status=503, count=3, verbs=["PUT"])
    trip = await traveller.book(order(), wait=60)
    assert trip["status"] == "confirmed", trip
    assert steps(trip)["flight"]["attempts"] == 4
    calls = await traveller.calls("flight", trip["trip_id"])
    assert [call["verb"] for call in calls] == ["PUT"] * 4 + ["confirm"]


async def test_a_reply_that_is_lost_books_once(traveller: Traveller, order: Orders) -> None:
    before = await charged(traveller)
    await traveller.break_partner("payment", drop_reply_rate=1, count=1, verbs=["PUT"])
    trip = await traveller.book(order(), wait=60)
    assert trip["status"] == "confirmed", trip
    (lost, *_) = await traveller.calls("payment", trip["trip_id"])
    assert (lost["verb"], lost["outcome"]) == ("PUT", "dropped")
    assert await charged(traveller) - before == trip["total"]["amount_minor"]


async def test_points_pay_no_more_than_the_price(traveller: Traveller, order: Orders) -> None:
    body = order(
        hotel={
            "hotel_id": "OSA-POD",
            "check_in": str(day := some_day()),
            "check_out": str(day + timedelta(days=1)),
            "rooms": 1,
        },
        tour=None,
        flight=None,
        points={"redeem": 10**9},
    )
    trip = await traveller.book(body, wait=60)
    assert trip["status"] == "confirmed", trip
    assert trip["total"]["amount_minor"] == 0
    assert steps(trip)["points"]["amount_minor"] == -3_000
    payment = steps(trip)["payment"]
    assert (payment["status"], payment["amount_minor"], payment["attempts"]) == ("confirmed", 0, 0)
    assert await traveller.reservation("payment", trip["trip_id"]) is None


async def test_fifty_trips_race_for_the_last_room(traveller: Traveller, order: Orders) -> None:
    day = some_day()
    stay = {
        "hotel_id": "OSA-POD",
        "check_in": str(day),
        "check_out": str(day + timedelta(days=1)),
        "rooms": 1,
    }
    body = order(day, hotel=stay, tour=None, flight=None, points=None)
    accepted = await asyncio.gather(*(traveller.book(body) for _ in range(50)))
    trips = await asyncio.gather(*(traveller.until(trip["trip_id"]) for trip in accepted))
    outcomes = [(trip["status"], (trip["failure"] or {}).get("code")) for trip in trips]
    assert sorted(outcomes, key=str) == sorted([("confirmed", None)] + [("failed", "sold_out")] * 49, key=str)
    failed = [trip for trip in trips if trip["status"] == "failed"]
    assert [await held_anywhere(traveller, trip) for trip in failed] == [[]] * 49
    ledger = await traveller.read("payment", "/ledger")
    assert sum(account["balance_minor"] for account in ledger["accounts"]) == 0


async def test_a_hold_that_comes_after_its_release_is_refused(traveller: Traveller, order: Orders) -> None:
    # The second hold is the test's own, and comes after the trip's.
    await traveller.break_partner("tour", latency_ms=1500, verbs=["PUT"], count=2)
    body = order()
    trip_id = (await traveller.book(body))["trip_id"]

    async def is_sent() -> bool:
        return bool(await traveller.calls("tour", trip_id))

    await eventually(is_sent)
    status, answer = await traveller.call("POST", f"/trips/{trip_id}/cancel")
    assert status == 202, answer
    trip = await traveller.until(trip_id)
    assert (trip["status"], trip["failure"]) == ("cancelled", None)
    assert await held_anywhere(traveller, trip) == []
    status, refusal = await traveller.hold("tour", trip_id, body["tour"])
    assert (status, refusal["code"]) == (409, "closed")
    assert "201" not in [call["outcome"] for call in await traveller.calls("tour", trip_id)]
    assert await held_anywhere(traveller, trip) == []


async def test_a_confirmed_trip_cannot_be_cancelled(traveller: Traveller, order: Orders) -> None:
    trip = await traveller.book(order(), wait=60)
    status, answer = await traveller.call("POST", f"/trips/{trip['trip_id']}/cancel")
    assert (status, answer["code"]) == (409, "already_final")


async def test_a_trip_that_is_late_is_undone(traveller: Traveller, order: Orders) -> None:
    await traveller.break_partner("hotel", latency_ms=2500, verbs=["PUT"], count=1)
    trip = await traveller.book(order(deadline_s=1), wait=60)
    assert (trip["status"], trip["failure"]["code"]) == ("failed", "deadline_exceeded")
    assert trip["failure"]["step"] == "hotel"
    assert await held_anywhere(traveller, trip) == []


async def test_trips_are_listed_newest_first(traveller: Traveller, order: Orders) -> None:
    booked = [(await traveller.book(order(), wait=60))["trip_id"] for _ in range(3)]
    seen: list[str] = []
    cursor = ""
    while not set(booked) <= set(seen):
        status, page = await traveller.call("GET", f"/trips?limit=2{cursor}")
        assert status == 200
        seen += [trip["trip_id"] for trip in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert [trip_id for trip_id in seen if trip_id in booked] == booked[::-1]
    assert len(seen) == len(set(seen))
    status, page = await traveller.call("GET", "/trips?status=confirmed&limit=5")
    assert {trip["status"] for trip in page["items"]} == {"confirmed"}


async def test_the_workflow_answers_with_the_trip(traveller: Traveller, system: RunningSystem) -> None:
    from temporalio.client import Client  # noqa: PLC0415

    declined = order(payment={"card_token": "tok_declined", "currency": "JPY"})
    trip = await traveller.book(declined, wait=60)
    client = await Client.connect(system.temporal, data_converter=system.converter())
    handle = client.get_workflow_handle(trip["trip_id"])
    assert await handle.query("trip") == trip
    description = await handle.describe()
    attributes = {pair.key.name: pair.value for pair in description.typed_search_attributes}
    assert attributes["TripTenant"] == "default"
    assert (attributes["TripStatus"], attributes["TripPartner"]) == ("failed", "payment")


async def test_a_key_seen_before_gives_the_same_trip(traveller: Traveller, order: Orders) -> None:
    body = order()
    key = str(uuid.uuid4())
    headers = {"Idempotency-Key": key}
    first = await traveller.book(body, key=key)
    status, again = await traveller.call("POST", "/trips", json=body, headers=headers)
    assert (status, again["trip_id"]) == (200, first["trip_id"])
    status, other = await traveller.call("POST", "/trips", json=order(deadline_s=200), headers=headers)
    assert (status, other["code"]) == (422, "idempotency_key_reused")
    assert (await traveller.until(first["trip_id"]))["status"] in FINAL


async def test_an_unknown_trip_is_404(traveller: Traveller) -> None:
    for method, path in (("GET", "/trips/none"), ("POST", "/trips/none/cancel")):
        status, answer = await traveller.call(method, path)
        assert (status, answer["code"]) == (404, "unknown_trip")


async def test_a_trip_shows_who_coordinates_it(
    traveller: Traveller, order: Orders, coordination: Coordination
) -> None:
    trip = await traveller.book(order(), wait=60)
    has_workflow = coordination == "orchestration"
    assert (trip["coordination"], trip["links"]["temporal_ui"] is not None) == (coordination, has_workflow)


async def test_everything_is_ready(traveller: Traveller) -> None:
    status, answer = await traveller.call("GET", "/readyz")
    assert status == 200
    assert set(answer["dependencies"]) == {
        "postgres", "temporal", "search_attributes", "schedules", "worker", "broker", "trips",
    }  # fmt: skip
    status, everything = await traveller.call("GET", "/dependencies")
    assert (status, everything["status"]) == (200, "ok"), everything
    assert everything["dependencies"].keys() == answer["dependencies"].keys() | set(Partner)


async def test_a_partner_that_is_down_keeps_the_front_door_ready(
    traveller: Traveller, system: RunningSystem
) -> None:
    async def told() -> bool:
        status, answer = await traveller.call("GET", "/dependencies")
        assert status == 200
        assert "127.0.0.1" not in str(answer)
        return bool(answer["status"] == "unavailable" and answer["dependencies"]["tour"] != "ok")

    await traveller.break_partner("tour", down=True)
    try:
        await eventually(told)
        status, answer = await traveller.call("GET", "/readyz")
    finally:
        await traveller.mend_partner("tour")
    assert (status, answer["status"]) == (200, "ok"), answer


async def test_prometheus_can_read_the_figures(system: RunningSystem, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{system.api}/metrics") as answer:
        assert answer.status == 200
        families = {family.name for family in text_string_to_metric_families(await answer.text())}
    assert {"trips_record_under_way", "trips_record_backlog", "trips_record_breaker_state"} <= families
