"""Choreographed trips through the front door: the same trip for its traveller, with nobody who conducts."""

import os
import signal
from typing import Any

from tests.conftest import RunningSystem
from tests.system.test_supervision import eventually
from trials.orders import Json, bench_order
from trials.traveller import Traveller
from trip.partner import Partner

UNDONE = {"pending", "released", "failed"}


def choreographed(**changes: Any) -> Json:
    return bench_order(coordination="choreography", **changes)


def steps(trip: Json) -> dict[str, str]:
    return {step["name"]: step["status"] for step in trip["steps"]}


async def holds_of(traveller: Traveller, trip: Json) -> set[str]:
    """How the trip's reservations stand at its partners."""
    found = [await traveller.reservation(step["name"], trip["trip_id"]) for step in trip["steps"]]
    return {one["status"] for one in found if one is not None}


async def test_a_trip_is_confirmed(traveller: Traveller) -> None:
    trip = await traveller.book(choreographed(), wait=60)
    assert (trip["status"], set(steps(trip).values())) == ("confirmed", {"confirmed"}), trip
    assert (trip["coordination"], trip["links"]["temporal_ui"]) == ("choreography", None)
    assert await holds_of(traveller, trip) == {"confirmed"}
    versions = [event.id async for event in traveller.events(trip["trip_id"])]
    assert versions == sorted(set(versions))
    status, page = await traveller.call("GET", f"/trips/{trip['trip_id']}/messages")
    assert status == 200
    sources = [one["source"] for one in page["items"]]
    assert (sources[0], sources.count("trips"), set(sources)) == ("trips", 2, {"trips", *Partner})
    assert "sealed" not in str(page)


async def test_a_confirmation_that_does_not_get_through_is_tried_again_by_an_operator(
    traveller: Traveller,
) -> None:
    await traveller.break_partner("flight", error_rate=1, status=503, verbs=["confirm"])
    try:
        trip = await traveller.book(choreographed())
        stuck = await traveller.until(trip["trip_id"], "needs_attention")
        assert steps(stuck) == {step["name"]: "confirmed" for step in trip["steps"]} | {"flight": "held"}
        status, answer = await traveller.call("POST", f"/trips/{trip['trip_id']}/cancel")
        assert (status, answer["code"]) == (409, "already_final")
        status, page = await traveller.call("GET", "/dead-letters?limit=500")
        assert (status, trip["trip_id"] in str(page)) == (200, True)
    finally:
        await traveller.mend_partner("flight")
    status, answer = await traveller.call("POST", f"/trips/{trip['trip_id']}/steps/hotel/retry")
    assert (status, answer["code"]) == (409, "not_stuck")
    status, answer = await traveller.call("POST", f"/trips/{trip['trip_id']}/steps/flight/retry")
    ended = await traveller.until(trip["trip_id"])
    # What is told again may have got through before the operator's word.
    assert (status, ended["status"]) in {(202, "confirmed"), (409, "confirmed")}


async def test_a_partner_that_is_down_is_undone_when_it_is_back(traveller: Traveller) -> None:
    await traveller.break_partner("flight", down=True)
    try:
        trip = await traveller.book(choreographed(deadline_s=2))
        undoing = await traveller.until(trip["trip_id"], "compensating")
        assert (undoing["failure"]["step"], undoing["failure"]["code"]) == ("flight", "deadline_exceeded")
    finally:
        await traveller.mend_partner("flight")
    ended = await traveller.until(trip["trip_id"])
    assert ended["status"] == "failed"
    assert await holds_of(traveller, ended) == {"released"}


async def test_without_a_broker_trips_are_accepted_cancelled_and_booked_by_workflows(
    traveller: Traveller, system: RunningSystem
) -> None:
    async def broker_is_out() -> bool:
        status, answer = await traveller.call("GET", "/readyz")
        assert status == 200, answer
        return bool(answer["dependencies"]["broker"] != "ok")

    os.kill(system.pid("nats"), signal.SIGSTOP)
    try:
        await eventually(broker_is_out)
        trip = await traveller.book(choreographed())
        unwanted = await traveller.book(choreographed())
        status, cancelled = await traveller.call("POST", f"/trips/{unwanted['trip_id']}/cancel")
        # Until the front door has noticed, it takes a trip for begun that it could not tell of.
        assert (status, cancelled["status"] in {"cancelled", "compensating"}) == (202, True), cancelled
        by_workflow = await traveller.book(bench_order(), wait=60)
        assert by_workflow["status"] == "confirmed"
        assert (await traveller.trip(trip["trip_id"]))["status"] == "booking"
    finally:
        os.kill(system.pid("nats"), signal.SIGCONT)
    assert (await traveller.until(trip["trip_id"]))["status"] == "confirmed"
    assert (await traveller.until(unwanted["trip_id"]))["status"] == "cancelled"
    assert await holds_of(traveller, unwanted) <= {"released"}


async def test_a_cancel_and_a_deadline_are_decided_while_broker_and_partners_stand_still(
    traveller: Traveller, system: RunningSystem
) -> None:
    await traveller.break_partner("points", latency_ms=60_000, verbs=["PUT"])
    still = ["nats", *Partner]
    try:
        late, unwanted = [await _held_by_the_hotel(traveller, deadline_s) for deadline_s in (3, 600)]
        for name in still:
            system.signal(name, signal.SIGSTOP)
        answered, answer = await traveller.call("POST", f"/trips/{unwanted}/cancel")
        assert (answered, answer["status"]) == (202, "compensating"), answer
        undoing = await traveller.until(late, "compensating")
        assert undoing["failure"]["code"] == "deadline_exceeded"
    finally:
        for name in still:
            system.signal(name, signal.SIGCONT)
        await traveller.mend_partner("points")
    for trip_id, status in ((late, "failed"), (unwanted, "cancelled")):
        ended = await traveller.until(trip_id)
        assert (ended["status"], await holds_of(traveller, ended)) == (status, {"released"})


async def _held_by_the_hotel(traveller: Traveller, deadline_s: int) -> str:
    """The id of a trip that waits for its points."""
    trip_id: str = (await traveller.book(choreographed(deadline_s=deadline_s)))["trip_id"]

    async def is_held() -> bool:
        found = await traveller.reservation("hotel", trip_id)
        return found is not None and found["status"] == "held"

    await eventually(is_held)
    return trip_id
