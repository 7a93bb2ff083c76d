"""A partner that is down: trips that need it fail or wait, as their order says. No other trip notices."""

import asyncio

from tests.system.conftest import Orders
from tests.system.test_supervision import eventually
from tests.system.test_trips import held_anywhere, steps
from trials.traveller import Traveller

OTHERS = 3
ATTEMPTS = 5


async def test_a_trip_fails_at_once(traveller: Traveller, order: Orders, kept_out: str) -> None:
    trip = await traveller.book(order(), wait=60)
    assert (trip["status"], trip["failure"]["step"]) == ("failed", kept_out), trip
    assert trip["failure"]["code"] == "partner_unavailable"
    assert {step["attempts"] for step in trip["steps"]} == {0}
    assert [await traveller.calls(step["name"], trip["trip_id"]) for step in trip["steps"]] == [[]] * 5


async def test_a_trip_that_waits_is_confirmed_when_the_partner_is_back(
    traveller: Traveller, order: Orders, kept_out: str
) -> None:
    trip = await traveller.book(order(when_partner_down="wait"), wait=1)
    assert (trip["status"], {step["attempts"] for step in trip["steps"]}) == ("booking", {0}), trip
    await traveller.override_breaker(kept_out, None)
    assert (await traveller.until(trip["trip_id"]))["status"] == "confirmed"


async def test_a_trip_waits_until_its_deadline(traveller: Traveller, order: Orders, kept_out: str) -> None:
    trip = await traveller.book(order(when_partner_down="wait", deadline_s=1), wait=60)
    assert (trip["status"], trip["failure"]["code"]) == ("failed", "deadline_exceeded"), trip
    assert await traveller.calls(kept_out, trip["trip_id"]) == []


async def test_a_trip_that_waits_can_be_cancelled(traveller: Traveller, order: Orders, kept_out: str) -> None:
    trip = await traveller.book(order(when_partner_down="wait"))
    status, answer = await traveller.call("POST", f"/trips/{trip['trip_id']}/cancel")
    assert status == 202, answer
    trip = await traveller.until(trip["trip_id"])
    assert (trip["status"], {step["attempts"] for step in trip["steps"]}) == ("cancelled", {0})
    assert await traveller.calls(kept_out, trip["trip_id"]) == []


async def test_a_partner_that_gives_out_under_way_fails_the_trip(traveller: Traveller, order: Orders) -> None:
    await traveller.break_partner("flight", error_rate=1, status=503, verbs=["PUT"])
    trip = await traveller.book(order(), wait=60)
    await traveller.mend_partner("flight")
    assert (trip["status"], trip["failure"]["step"]) == ("failed", "flight"), trip
    assert trip["failure"]["code"] == "partner_unavailable"
    assert steps(trip)["flight"]["attempts"] == ATTEMPTS
    assert await held_anywhere(traveller, trip) == []


async def test_a_breaker_that_opens_under_way_fails_the_trip(traveller: Traveller, order: Orders) -> None:
    await traveller.break_partner("flight", down=True)
    trip = await traveller.book(order())

    async def is_asked() -> bool:
        return bool(steps(await traveller.trip(trip["trip_id"]))["flight"]["status"] == "unknown")

    await eventually(is_asked)
    await traveller.override_breaker("flight", "open")
    try:
        undoing = await traveller.until(trip["trip_id"], "compensating")
    finally:
        await traveller.mend_partner("flight")
        await traveller.override_breaker("flight", None)
    ended = await traveller.until(trip["trip_id"])
    assert (ended["status"], ended["failure"]) == ("failed", undoing["failure"])
    assert (ended["failure"]["step"], ended["failure"]["code"]) == ("flight", "partner_unavailable")
    assert await held_anywhere(traveller, ended) == []


async def test_a_partner_that_is_down_holds_up_no_trip_that_does_not_need_it(
    traveller: Traveller, order: Orders, kept_out: str
) -> None:
    await traveller.break_partner(kept_out, down=True)
    waiting = [await traveller.book(order(when_partner_down="wait")) for _ in range(OTHERS)]
    others = (traveller.book(order(**{kept_out: None}), wait=60) for _ in range(OTHERS))
    assert {trip["status"] for trip in await asyncio.gather(*others)} == {"confirmed"}
    assert {(await traveller.trip(trip["trip_id"]))["status"] for trip in waiting} == {"booking"}
    await traveller.mend_partner(kept_out)
    await traveller.override_breaker(kept_out, None)
    ended = [await traveller.until(trip["trip_id"]) for trip in waiting]
    assert {trip["status"] for trip in ended} == {"confirmed"}
