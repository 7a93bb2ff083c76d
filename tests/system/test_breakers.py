"""A partner's outage, through the front door of a system with two workers and short open times."""

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.conftest import RunningSystem, running_system
from tests.patience import PATIENCE_S
from tests.system.conftest import Orders
from tests.system.test_supervision import eventually
from tests.system.test_trips import held_anywhere, steps
from trials.orders import Json, order, some_day
from trials.traveller import Traveller

OPEN_S = 3
MIN_CALLS = 5
REFUSALS = 12
ENVIRONMENT = {
    "TRIPS_WORKERS": "2",
    "TRIPS_BREAKER_OPEN_S": str(OPEN_S),
    "TRIPS_BREAKER_MIN_CALLS": str(MIN_CALLS),
    "TRIPS_RETRY_BASE_S": "0.2",
    "TRIPS_RETRY_CAP_S": "1",
    "TRIPS_PROBE_INTERVAL_S": "3600",
    "TRIPS_ATTENTION_S": "4",
}


@pytest.fixture(scope="module")
def guarded() -> Iterator[RunningSystem]:
    """A system of its own, whose breakers open."""
    with (
        tempfile.TemporaryDirectory(prefix="trips-", ignore_cleanup_errors=True) as place,
        running_system(Path(place) / "data", ENVIRONMENT) as started,
    ):
        yield started


@pytest.fixture
def caller(guarded: RunningSystem, http: aiohttp.ClientSession) -> Traveller:
    """Calls to that system."""
    return guarded.traveller(http)


async def state(caller: Traveller, partner: str) -> str:
    """The breaker's state, as the front door tells it."""
    status, breaker = await caller.call("GET", f"/breakers/{partner}")
    assert status == 200
    return str(breaker["state"])


async def open_by_failures(caller: Traveller, partner: str) -> list[Json]:
    """Break the partner and book until its breaker is open; the trips that were booked for it."""
    await caller.break_partner(partner, error_rate=1, status=503)
    trips = [await caller.book(order()) for _ in range(MIN_CALLS)]

    async def is_open() -> bool:
        return await state(caller, partner) != "closed"

    await eventually(is_open)
    return trips


async def mended(caller: Traveller, partner: str) -> None:
    """Mend the partner and see calls let in again."""
    await caller.mend_partner(partner)
    trip = await caller.book(order(when_partner_down="wait"), wait=60)
    assert trip["status"] == "confirmed", trip
    assert await state(caller, partner) == "closed"


async def test_trips_fail_at_once_while_a_partner_is_out(caller: Traveller) -> None:
    await open_by_failures(caller, "flight")
    # Long enough for both workers to have learnt it, well within the open time.
    await asyncio.gather(*(caller.book(order(), wait=60) for _ in range(4)))
    await caller.override_breaker("flight", "open")
    for _ in range(4):
        trip = await caller.book(order(), wait=60)
        assert (trip["status"], trip["failure"]["step"], trip["failure"]["code"]) == (
            "failed", "flight", "partner_unavailable"
        )  # fmt: skip
        assert await held_anywhere(caller, trip) == []
        assert {step["attempts"] for step in trip["steps"]} == {0}
        assert await caller.calls("flight", trip["trip_id"]) == []
    await caller.override_breaker("flight", None)
    await mended(caller, "flight")


async def test_trips_that_wait_are_confirmed_when_the_partner_is_back(caller: Traveller) -> None:
    await open_by_failures(caller, "tour")
    waiting = [await caller.book(order(when_partner_down="wait")) for _ in range(5)]
    await caller.mend_partner("tour")
    ended = [await caller.until(trip["trip_id"]) for trip in waiting]
    assert {trip["status"] for trip in ended} == {"confirmed"}
    assert await state(caller, "tour") == "closed"


async def test_an_outage_costs_the_partner_few_calls(caller: Traveller) -> None:
    await caller.break_partner("hotel", down=True)
    waiting = [await caller.book(order(when_partner_down="wait")) for _ in range(20)]

    async def is_open() -> bool:
        return await state(caller, "hotel") == "open"

    await eventually(is_open)
    # Calls that were under way when it opened have come by the time that it opens again.
    await opened_again(caller, "hotel")
    before = len((await caller.read("hotel", "/lab/calls"))["items"])
    opens_before = await _opens(caller, "hotel")
    await opened_again(caller, "hotel")
    after = len((await caller.read("hotel", "/lab/calls"))["items"])
    opened = await _opens(caller, "hotel") - opens_before
    # One probe for each open period, and one perhaps under way.
    assert after - before <= opened + 1
    await caller.mend_partner("hotel")
    ended = [await caller.until(trip["trip_id"]) for trip in waiting]
    assert {trip["status"] for trip in ended} == {"confirmed"}


async def opened_again(caller: Traveller, partner: str) -> None:
    """Returns when the breaker has opened once more."""
    before = await _opens(caller, partner)

    async def once_more() -> bool:
        return await _opens(caller, partner) > before

    await eventually(once_more)


async def _opens(caller: Traveller, partner: str) -> int:
    _, page = await caller.call("GET", f"/breakers/{partner}/events?limit=500")
    return sum(event["to_state"] == "open" for event in page["items"])


async def test_a_release_waits_for_its_partner_and_gets_through(caller: Traveller, order: Orders) -> None:
    await caller.override_breaker("hotel", "closed")
    await caller.break_partner("payment", latency_ms=1000, verbs=["PUT"])
    trip = await caller.book(order(payment={"card_token": "tok_declined", "currency": "JPY"}))

    async def payment_sent() -> bool:
        return bool(await caller.calls("payment", trip["trip_id"]))

    await eventually(payment_sent)
    await caller.break_partner("hotel", down=True)
    await caller.override_breaker("hotel", "open")
    trip = await caller.until(trip["trip_id"], "compensating")

    async def others_released() -> bool:
        statuses = steps(await caller.trip(trip["trip_id"]))
        return {statuses[name]["status"] for name in ("tour", "flight", "points")} == {"released"}

    await eventually(others_released)
    trip = await caller.until(trip["trip_id"], "needs_attention")
    hotel = steps(trip)["hotel"]
    assert hotel["status"] == "held"
    # To wait is no attempt.
    assert hotel["release"] is None or hotel["release"]["attempts"] == 0
    await caller.mend_partner("payment")
    await caller.mend_partner("hotel")
    await caller.override_breaker("hotel", None)
    trip = await caller.until(trip["trip_id"])
    assert trip["status"] == "failed"
    assert await held_anywhere(caller, trip) == []


async def test_breakers_are_listed_overridden_and_logged(caller: Traveller) -> None:
    status, page = await caller.call("GET", "/breakers")
    assert status == 200
    assert [breaker["partner"] for breaker in page["items"]] == [
        "hotel", "tour", "flight", "points", "payment"
    ]  # fmt: skip
    await caller.override_breaker("points", "open")
    _, breaker = await caller.call("GET", "/breakers/points")
    assert (breaker["override"], breaker["override_reason"]) == ("open", "a test")
    await caller.override_breaker("points", None)
    _, log = await caller.call("GET", "/breakers/points/events?limit=1")
    assert (log["items"][0]["who"], log["items"][0]["reason"]) == ("operator", "a test")
    _, older = await caller.call("GET", f"/breakers/points/events?limit=1&cursor={log['next_cursor']}")
    assert older["items"][0]["event_id"] < log["items"][0]["event_id"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/breakers/train", {"override": "open", "reason": "x"}, "partner"),
        ("/breakers/hotel", {"override": "ajar", "reason": "x"}, "override"),
        ("/breakers/hotel", {"override": "open"}, "reason"),
        ("/breakers/hotel", {"reason": "x"}, "override"),
    ],
)
async def test_a_bad_override_is_refused(caller: Traveller, path: str, body: Json, field: str) -> None:
    status, answer = await caller.call("PUT", path, json=body)
    assert status == 422
    assert field in answer["detail"]


async def test_a_partner_that_refuses_for_good_is_there(caller: Traveller) -> None:
    """More refusals in a row than failures would open the breaker, and no other call among them."""
    body = order(hotel=None, tour=None, points=None)
    body["flight"]["flight_no"] = "NO-SUCH-FLIGHT"
    for _ in range(REFUSALS):
        trip = await caller.book(body, wait=60)
        assert trip["failure"]["code"] == "not_found"

    async def counted() -> bool:
        _, breaker = await caller.call("GET", "/breakers/flight")
        return bool(breaker["calls"] >= REFUSALS)

    await eventually(counted)
    _, breaker = await caller.call("GET", "/breakers/flight")
    assert (breaker["state"], breaker["failures"]) == ("closed", 0)


async def test_no_trip_waits_for_the_breakers_store(caller: Traveller, guarded: RunningSystem) -> None:
    """PostgreSQL stands still while trips run that need it for their record and breakers alone."""
    day = some_day()
    stay = {"hotel_id": "BENCH-HOTEL", "check_in": str(day), "check_out": str(day + timedelta(days=1))}
    body = order(tour=None, flight=None, hotel={**stay, "rooms": 1}, points={"redeem": 10**6})
    await caller.break_partner("hotel", latency_ms=700, verbs=["PUT"])
    trips = [await caller.book(body) for _ in range(5)]

    async def sent() -> bool:
        return all([await caller.calls("hotel", trip["trip_id"]) for trip in trips])

    await eventually(sent)
    postgres = psutil.Process(guarded.pid("postgres"))
    frozen = [postgres, *postgres.children(recursive=True)]
    for process in frozen:
        process.send_signal(signal.SIGSTOP)
    try:

        async def confirmed() -> bool:
            found = [await caller.reservation("points", trip["trip_id"]) for trip in trips]
            return all(one and one["status"] == "confirmed" for one in found)

        async with asyncio.timeout(PATIENCE_S):
            await eventually(confirmed)
    finally:
        for process in reversed(frozen):
            os.kill(process.pid, signal.SIGCONT)
        await caller.mend_partner("hotel")
    ended = [await caller.until(trip["trip_id"]) for trip in trips]
    assert {trip["status"] for trip in ended} == {"confirmed"}
    assert {step["attempts"] for trip in ended for step in trip["steps"]} <= {0, 1}
