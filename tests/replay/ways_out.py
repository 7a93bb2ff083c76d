"""Every way out of BookTrip, provoked on a real system: each gives the id of the trip that went it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError

from trials.orders import bench_order, order
from trials.traveller import LOOK_EVERY_S, SETTLE_TIMEOUT_S, Traveller

ENVIRONMENT = {
    "TRIPS_RETRY_BASE_S": "0.05",
    "TRIPS_RETRY_CAP_S": "0.2",
    "TRIPS_RETRY_ATTEMPTS": "3",
    "TRIPS_HOLD_S": "4",
    "TRIPS_BREAKER_MIN_CALLS": "10000",
    "TRIPS_BREAKER_FAILURES_IN_A_ROW": "10000",
    "TRIPS_PROBE_INTERVAL_S": "3600",
    "TRIPS_UPKEEP_S": "1",
}
"""Short waits, holds that a slow payment outlasts, and breakers that only an operator opens."""

OUTLASTS_HOLDS_S = 5
OUTLASTED: dict[str, Any] = {
    "error_rate": 1,
    "status": 503,
    "retry_after_s": OUTLASTS_HOLDS_S,
    "verbs": ["confirm"],
    "count": 1,
}
"""The fault of a partner whose hold expires before its confirmation is sent again."""

WayOut = Callable[[Traveller, Client], Awaitable[str]]


async def confirmed(traveller: Traveller, client: Client) -> str:
    """Everything is had."""
    return await _ended(traveller, order(), "confirmed")


async def points_pay_all(traveller: Traveller, client: Client) -> str:
    """Nothing is left to pay, and so the payment is not called."""
    body = bench_order(points={"redeem": 10**9}, tour=None, flight=None)
    return await _ended(traveller, body, "confirmed")


async def hotel_refused(traveller: Traveller, client: Client) -> str:
    """The first step is refused for good."""
    body = order()
    body["hotel"]["hotel_id"] = "NO-SUCH-HOTEL"
    return await _ended(traveller, body, "failed")


async def tour_refused(traveller: Traveller, client: Client) -> str:
    """One of the steps side by side is refused."""
    body = order()
    body["tour"]["tour_id"] = "NO-SUCH-TOUR"
    return await _ended(traveller, body, "failed")


async def flight_refused(traveller: Traveller, client: Client) -> str:
    """One of the steps side by side is refused."""
    body = order()
    body["flight"]["flight_no"] = "NO-SUCH-FLIGHT"
    return await _ended(traveller, body, "failed")


async def points_refused(traveller: Traveller, client: Client) -> str:
    """What stands before the points is released."""
    body = order()
    body["traveller"]["member_id"] = "M-1002"
    return await _ended(traveller, body, "failed")


async def payment_declined(traveller: Traveller, client: Client) -> str:
    """Everything else is released."""
    return await _ended(traveller, order(payment={"card_token": "tok_declined", "currency": "JPY"}), "failed")


async def retries_used_up(traveller: Traveller, client: Client) -> str:
    """A hold is never answered: its outcome is unknown, and it is released all the same."""
    await traveller.break_partner("flight", error_rate=1, status=503, verbs=["PUT"])
    return await _ended(traveller, order(), "failed", mend="flight")


async def deadline(traveller: Traveller, client: Client) -> str:
    """The holds take longer than the traveller gave."""
    await traveller.break_partner("tour", latency_ms=2500, verbs=["PUT"])
    return await _ended(traveller, order(deadline_s=1), "failed", mend="tour")


async def cancelled_while_calls_are_out(traveller: Traveller, client: Client) -> str:
    """The traveller changes their mind early."""
    await traveller.break_partner("tour", latency_ms=1500, verbs=["PUT"])
    trip_id = await _booked(traveller, "tour", "unknown")
    status, answer = await traveller.call("POST", f"/trips/{trip_id}/cancel")
    assert status == 202, answer
    return await _ends(traveller, trip_id, "cancelled", mend="tour")


async def cancelled_late(traveller: Traveller, client: Client) -> str:
    """The traveller changes their mind when all but the payment is held."""
    await traveller.break_partner("payment", latency_ms=1500, verbs=["PUT"])
    trip_id = await _booked(traveller, "payment", "unknown")
    status, answer = await traveller.call("POST", f"/trips/{trip_id}/cancel")
    assert status == 202, answer
    return await _ends(traveller, trip_id, "cancelled", mend="payment")


async def cancelled_by_temporal(traveller: Traveller, client: Client) -> str:
    """Cancelled from Temporal's own UI, twice, the second time amid the compensation."""
    await traveller.break_partner("hotel", latency_ms=1500)
    trip_id = await _booked(traveller, "hotel", "unknown")
    await client.get_workflow_handle(trip_id).cancel()
    await traveller.until(trip_id, "compensating")
    await client.get_workflow_handle(trip_id).cancel()
    return await _ends(traveller, trip_id, "cancelled", mend="hotel")


async def hold_expired(traveller: Traveller, client: Client) -> str:
    """A confirmation is refused after the capture: the payment is refunded."""
    await traveller.break_partner("hotel", **OUTLASTED)
    trip_id = await _ended(traveller, order(), "failed")
    _, trip = await traveller.call("GET", f"/trips/{trip_id}")
    assert trip["failure"]["code"] == "expired", trip
    return trip_id


async def hold_ends_early(traveller: Traveller, client: Client) -> str:
    """A hold would expire before it can be confirmed: the payment is not captured."""
    await traveller.break_partner("payment", latency_ms=1000 * OUTLASTS_HOLDS_S, verbs=["PUT"])
    trip_id = await _ended(traveller, order(), "failed", mend="payment")
    _, trip = await traveller.call("GET", f"/trips/{trip_id}")
    assert trip["failure"]["code"] == "expired" and trip["steps"][-1]["confirmation"] is None, trip
    return trip_id


async def release_stuck_then_retried(traveller: Traveller, client: Client) -> str:
    """A release does not get through; an operator has it tried again when the partner is back."""
    trip_id = await _stuck(traveller, "hotel", "DELETE", card_token="tok_declined")
    await traveller.mend_partner("hotel")
    await _operate(traveller, trip_id, "hotel", "retry")
    return await _ends(traveller, trip_id, "failed")


async def release_stuck_then_resolved(traveller: Traveller, client: Client) -> str:
    """A release does not get through; an operator settles it by hand."""
    trip_id = await _stuck(traveller, "tour", "DELETE", card_token="tok_declined")
    await _operate(traveller, trip_id, "tour", "resolve")
    return await _ends(traveller, trip_id, "failed", mend="tour")


async def confirm_stuck_then_through(traveller: Traveller, client: Client) -> str:
    """A confirmation needs attention, and gets through by itself when the partner is back."""
    trip_id = await _stuck(traveller, "flight", "confirm", card_token="tok_visa")
    return await _ends(traveller, trip_id, "confirmed", mend="flight")


async def taken_over(traveller: Traveller, client: Client) -> str:
    """The workflow is terminated before the capture: another one undoes the trip."""
    await traveller.break_partner("flight", latency_ms=60_000, verbs=["PUT"])
    trip_id = await _booked(traveller, "hotel", "held")
    await client.get_workflow_handle(trip_id).terminate()
    return await _ends(traveller, trip_id, "failed", mend="flight")


async def taken_over_after_capture(traveller: Traveller, client: Client) -> str:
    """The workflow is terminated after the capture: another one sees the trip through."""
    trip_id = await _stuck(traveller, "flight", "confirm", card_token="tok_visa")
    await client.get_workflow_handle(trip_id).terminate()
    return await _ends(traveller, trip_id, "confirmed", mend="flight")


async def breaker_open(traveller: Traveller, client: Client) -> str:
    """A partner is known to be out: nothing is sent to anyone."""
    await traveller.override_breaker("flight", "open")
    trip_id = await _ended(traveller, order(), "failed")
    await traveller.override_breaker("flight", None)
    return trip_id


async def breaker_waited_out(traveller: Traveller, client: Client) -> str:
    """A partner is known to be out, and the traveller would rather wait."""
    await traveller.override_breaker("tour", "open")
    trip = await traveller.book(order(when_partner_down="wait"))
    await _parked(client, trip["trip_id"])
    await traveller.override_breaker("tour", None)
    return await _ends(traveller, trip["trip_id"], "confirmed")


WAYS_OUT: dict[str, WayOut] = {
    way.__name__: way
    for way in (
        confirmed,
        points_pay_all,
        hotel_refused,
        tour_refused,
        flight_refused,
        points_refused,
        payment_declined,
        retries_used_up,
        deadline,
        cancelled_while_calls_are_out,
        cancelled_late,
        cancelled_by_temporal,
        hold_expired,
        hold_ends_early,
        release_stuck_then_retried,
        release_stuck_then_resolved,
        confirm_stuck_then_through,
        taken_over,
        taken_over_after_capture,
        breaker_open,
        breaker_waited_out,
    )
}


async def _ended(traveller: Traveller, body: dict[str, object], status: str, mend: str = "") -> str:
    trip = await traveller.book(body)
    return await _ends(traveller, trip["trip_id"], status, mend)


async def _ends(traveller: Traveller, trip_id: str, status: str, mend: str = "") -> str:
    if mend and status == "confirmed":
        await traveller.mend_partner(mend)
    trip = await traveller.until(trip_id)
    assert trip["status"] == status, trip
    if mend:
        await traveller.mend_partner(mend)
    return trip_id


async def _booked(traveller: Traveller, step: str, status: str) -> str:
    trip = await traveller.book(order())
    async with asyncio.timeout(SETTLE_TIMEOUT_S):
        while not any(s["name"] == step and s["status"] == status for s in trip["steps"]):
            await asyncio.sleep(LOOK_EVERY_S)
            trip = await traveller.trip(trip["trip_id"])
    return str(trip["trip_id"])


async def _stuck(traveller: Traveller, partner: str, verb: str, card_token: str) -> str:
    await traveller.break_partner(partner, error_rate=1, status=503, verbs=[verb])
    trip = await traveller.book(order(payment={"card_token": card_token, "currency": "JPY"}))
    await traveller.until(trip["trip_id"], "needs_attention")
    return str(trip["trip_id"])


async def _operate(traveller: Traveller, trip_id: str, partner: str, action: str) -> None:
    body = {"note": "settled by telephone"} if action == "resolve" else None
    status, answer = await traveller.call("POST", f"/trips/{trip_id}/steps/{partner}/{action}", json=body)
    assert status == 202, answer


async def _parked(client: Client, trip_id: str) -> None:
    """Returns once the trip's check of the breakers has been put off."""
    handle = client.get_workflow_handle(trip_id)
    async with asyncio.timeout(SETTLE_TIMEOUT_S):
        while True:
            with contextlib.suppress(RPCError):  # a trip is accepted before its workflow is started
                pending = (await handle.describe()).raw_description.pending_activities
                if any(a.activity_type.name == "check_breaker" and a.attempt > 1 for a in pending):
                    return
            await asyncio.sleep(LOOK_EVERY_S)
