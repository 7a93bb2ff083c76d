"""Steps that do not get through: seen, tried again, or settled by a person."""

import pytest

from tests.system.conftest import Orders
from tests.system.test_supervision import eventually
from tests.system.test_trips import held_anywhere, steps
from trials.orders import Json
from trials.traveller import Traveller

DECLINED = {"card_token": "tok_declined", "currency": "JPY"}


async def stuck(traveller: Traveller, partner: str, verb: str, body: Json) -> Json:
    """A trip of which one call fails for ever."""
    await traveller.break_partner(partner, error_rate=1, status=503, verbs=[verb])
    trip = await traveller.book(body)
    return await traveller.until(trip["trip_id"], "needs_attention")


async def test_one_release_that_fails_holds_up_none_of_the_others(
    traveller: Traveller, order: Orders
) -> None:
    trip = await stuck(traveller, "flight", "DELETE", order(payment=DECLINED))
    trip_id = trip["trip_id"]

    async def others_released() -> bool:
        found = steps(await traveller.trip(trip_id))
        return {found[name]["status"] for name in ("hotel", "tour", "points")} == {"released"}

    await eventually(others_released)
    assert await held_anywhere(traveller, trip) == ["flight"]
    _, page = await traveller.call("GET", "/trips?status=needs_attention&limit=500")
    assert trip_id in [listed["trip_id"] for listed in page["items"]]

    step = steps(await traveller.trip(trip_id))["flight"]
    assert step["error"]["code"] == "partner_unavailable"
    assert step["release"]["attempts"] == 5
    await traveller.mend_partner("flight")
    status, answer = await traveller.call("POST", f"/trips/{trip_id}/steps/flight/retry")
    assert status == 202, answer
    ended = await traveller.until(trip_id)
    assert ended["status"] == "failed"
    assert await held_anywhere(traveller, ended) == []
    kept = ended["interventions"]
    assert [(i["step"], i["action"], i["who"]) for i in kept] == [("flight", "retry", "operator")]


async def test_a_dead_partner_does_not_keep_the_others_held(traveller: Traveller, order: Orders) -> None:
    await traveller.break_partner("payment", latency_ms=3000, verbs=["PUT"])
    trip = await traveller.book(order())

    async def payment_sent() -> bool:
        return bool(await traveller.calls("payment", trip["trip_id"]))

    await eventually(payment_sent)
    await traveller.break_partner("payment", down=True)
    await traveller.override_breaker("payment", "open")
    status, answer = await traveller.call("POST", f"/trips/{trip['trip_id']}/cancel")
    assert status == 202, answer

    async def others_released() -> bool:
        found = steps(await traveller.trip(trip["trip_id"]))
        return {found[name]["status"] for name in ("hotel", "tour", "flight", "points")} == {"released"}

    await eventually(others_released)
    undoing = await traveller.trip(trip["trip_id"])
    assert (undoing["status"], steps(undoing)["payment"]["status"]) == ("compensating", "unknown")
    await traveller.mend_partner("payment")
    await traveller.override_breaker("payment", None)
    ended = await traveller.until(trip["trip_id"])
    assert ended["status"] == "cancelled"
    assert await held_anywhere(traveller, ended) == []


@pytest.mark.parametrize("step", ["tour", "payment"])
async def test_a_confirmation_settled_by_hand_confirms_the_trip(
    traveller: Traveller, order: Orders, step: str
) -> None:
    trip = await stuck(traveller, step, "confirm", order())
    path = f"/trips/{trip['trip_id']}/steps/{step}/resolve"
    status, answer = await traveller.call("POST", path, json={})
    assert (status, answer["errors"][0]["field"]) == (422, "note")
    status, answer = await traveller.call("POST", path, json={"note": "confirmed by telephone"})
    assert status == 202, answer
    ended = await traveller.until(trip["trip_id"])
    await traveller.mend_partner(step)
    assert ended["status"] == "confirmed"
    assert {step["status"] for step in ended["steps"]} == {"confirmed"}
    assert ended["interventions"][0]["note"] == "confirmed by telephone"


async def test_a_release_settled_by_hand_ends_the_trip(traveller: Traveller, order: Orders) -> None:
    trip = await stuck(traveller, "tour", "DELETE", order(payment=DECLINED))
    path = f"/trips/{trip['trip_id']}/steps/tour/resolve"
    status, answer = await traveller.call("POST", path, json={"note": "released by telephone"})
    assert status == 202, answer
    ended = await traveller.until(trip["trip_id"])
    await traveller.mend_partner("tour")
    await traveller.release("tour", trip["trip_id"])
    assert (ended["status"], steps(ended)["tour"]["status"]) == ("failed", "released")
    assert ended["failure"]["code"] == "declined"
    assert await held_anywhere(traveller, ended) == []


async def test_a_stuck_step_gets_through_by_itself(traveller: Traveller, order: Orders) -> None:
    trip = await stuck(traveller, "hotel", "confirm", order())
    await traveller.mend_partner("hotel")
    ended = await traveller.until(trip["trip_id"])
    assert ended["status"] == "confirmed"
    assert ended["interventions"] == []
    assert steps(ended)["hotel"]["confirmation"]["attempts"] > 5


async def test_only_a_stuck_step_takes_an_order(traveller: Traveller, order: Orders) -> None:
    trip = await traveller.book(order(), wait=60)
    for path, code in (
        (f"/trips/{trip['trip_id']}/steps/hotel/retry", "not_stuck"),
        ("/trips/none/steps/hotel/retry", "unknown_trip"),
    ):
        _, answer = await traveller.call("POST", path)
        assert answer["code"] == code
    status, _ = await traveller.call("POST", f"/trips/{trip['trip_id']}/steps/train/retry")
    assert status == 422
