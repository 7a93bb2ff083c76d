"""Calls on trips: book, show, list and cancel, and an operator's."""

import asyncio
import contextlib
import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import fastapi
from fastapi import Header, Query
from fastapi.responses import JSONResponse
from pydantic import Field, ValidationError

from api.authentication import ANY_CALL, CurrentCaller, authenticated
from api.door import Door, OpenDoor
from api.examples import order_examples
from api.links import linked, trip_path
from api.lists import LIST_SHARE, TOO_MANY
from api.members import refuse_member
from api.prefer import wait_seconds
from api.tokens.caller import Caller, Scope
from record import cursors, pages, trips
from record.pages import Wanted
from record.pool import RecordAway
from serving import tracing
from serving.fields import Body, Identifier, Note
from serving.paging import Page
from serving.problems import bad_field, documented, problem, unavailable
from serving.queries import Limit
from trip.ids import new_trip_id
from trip.order import Coordination, TripOrder
from trip.partner import Partner
from trip.trip import (
    FINAL_STATUSES,
    Booking,
    Links,
    OperatorOrder,
    Trip,
    TripStatus,
    new_trip,
)

router = authenticated(Scope.TRAVELLER, prefix="/trips", tags=["trips"])
operators = authenticated(Scope.OPERATOR, prefix="/trips", tags=["trips"])

YEARS_AHEAD = 3

_FINAL = {status.value for status in FINAL_STATUSES}

_Cursor = Annotated[
    str | None, Query(pattern=cursors.OF_TRIPS, description="the next_cursor of the page before")
]

_ASKED = {"unknown_trip": 404, "temporal_unavailable": 503, "broker_unavailable": 503, **ANY_CALL}
"""The refusals of a call that is passed on to the trip's coordinator."""

_PLACE = {
    "headers": {"Location": {"schema": {"type": "string"}, "description": "of the trip"}},
    "links": {
        operation: {"operationId": operation, "parameters": {"trip_id": "$response.body#/trip_id"}}
        for operation in (
            "get_trip",
            "list_attempts",
            "list_messages",
            "cancel_trip",
            "retry_step",
            "resolve_step",
        )
    },
}


class Resolution(Body):
    """How a step was settled by hand. The trip keeps the note."""

    note: Annotated[Note, Field(examples=["refunded by hand, case 4711"])]


@router.post(
    "",
    status_code=202,
    response_model=Trip,
    responses={
        200: {"model": Trip, "description": "Settled within the wait, or the key was seen before"} | _PLACE,
        202: _PLACE,
        **documented(
            403,
            408,
            413,
            415,
            422,
            member_forbidden=403,
            broken_json=422,
            idempotency_key_reused=422,
            backlog_full=503,
            **ANY_CALL,
        ),
    },
)
async def book_trip(
    door: OpenDoor,
    caller: CurrentCaller,
    order: Annotated[TripOrder, fastapi.Body(openapi_examples=order_examples())],
    idempotency_key: Annotated[Identifier | None, Header()] = None,
    prefer: Annotated[str | None, Header(description="`wait=SECONDS`, at most 60 (RFC 7240)")] = None,
) -> JSONResponse:
    """Book a trip. 202 means that the trip is written; from then on it is carried to an end."""
    request = _request(order, idempotency_key, door, caller.tenant)
    refusal = (
        _refuse_order(order, door)
        or await refuse_member(order, door, caller)
        or _refuse_more(order, door, caller.tenant)
    )
    if refusal is not None:
        known = await trips.known_key(door.pool, request) if idempotency_key else None
        return refusal if known is None else await _repeated(door, known, order, request, prefer)
    accepted = await door.starters[_coordination(order, door)].accept(request)
    if isinstance(accepted, trips.KnownKey):
        return await _repeated(door, accepted, order, request, prefer)
    trip = new_trip(accepted).model_dump(mode="json")
    return await _answer(door, caller.tenant, trip, wait_seconds(prefer), otherwise=202)


@router.get("", dependencies=[LIST_SHARE], responses=documented(422, **TOO_MANY))
async def list_trips(
    door: OpenDoor,
    caller: CurrentCaller,
    status: Annotated[TripStatus | None, Query()] = None,
    email: Annotated[Identifier | None, Query(description="the traveller's, whatever its case")] = None,
    limit: Limit = 50,
    cursor: _Cursor = None,
) -> Page[Trip]:
    """The trips, newest first."""
    wanted = Wanted(caller.tenant, status, email)
    page = await pages.page(door.pool, wanted, limit, cursor)
    items = [linked(trip, door.settings.root_path) for trip in page.items]
    # Each was written as a Trip by the workflow.
    return JSONResponse({"items": items, "next_cursor": page.next_cursor})  # type: ignore[return-value]


@router.get("/{trip_id}", response_model=Trip, responses=documented(422, unknown_trip=404))
async def get_trip(door: OpenDoor, caller: CurrentCaller, trip_id: Identifier) -> JSONResponse:
    """One trip, from its record: also after its history is gone, and while no worker runs."""
    trip = await trips.fetch(door.pool, trip_id, caller.tenant)
    return unknown_trip() if trip is None else JSONResponse(linked(trip, door.settings.root_path))


@router.post(
    "/{trip_id}/cancel",
    status_code=202,
    response_model=Trip,
    responses=documented(408, 413, 422, already_final=409, not_started=503, **_ASKED),
)
async def cancel_trip(door: OpenDoor, caller: CurrentCaller, trip_id: Identifier) -> JSONResponse:
    """Undo the trip; 409 `already_final` once capture is decided."""
    kept = await trips.fetch_kept(door.pool, trip_id, caller.tenant)
    if kept is None:
        return unknown_trip()
    if kept.is_decided or not (kept.is_undone or await _cancel(door, kept.trip)):
        return problem(409, "already_final", "capture is decided or the trip has ended; it stands as it is")
    return await _as_it_stands(door, caller, kept.trip)


async def _cancel(door: Door, trip: dict[str, Any]) -> bool:
    coordinator = door.coordinator(trip)
    if not coordinator.cancels_unstarted:
        await door.starters[trip["coordination"]].start_if_owed(trip["trip_id"])
    return await coordinator.cancel(trip["trip_id"])


async def _as_it_stands(door: Door, caller: Caller, trip: dict[str, Any]) -> JSONResponse:
    """202 with the trip as it is now. What was asked is done, although the record may be away by then."""
    with contextlib.suppress(RecordAway):
        trip = await trips.fetch(door.pool, trip["trip_id"], caller.tenant) or trip
    return JSONResponse(linked(trip, door.settings.root_path), 202)


@operators.post(
    "/{trip_id}/steps/{step}/retry",
    status_code=202,
    response_model=Trip,
    responses=documented(408, 413, 422, not_stuck=409, **_ASKED),
)
async def retry_step(
    door: OpenDoor, caller: CurrentCaller, trip_id: Identifier, step: Partner
) -> JSONResponse:
    """Operator only: try a step that needs attention again now, once, past its breaker."""
    order = OperatorOrder(step=step, action="retry", who=caller.name)
    return await _operate(door, caller, trip_id, order)


@operators.post(
    "/{trip_id}/steps/{step}/resolve",
    status_code=202,
    response_model=Trip,
    responses=documented(408, 413, 415, 422, broken_json=422, not_stuck=409, **_ASKED),
)
async def resolve_step(
    door: OpenDoor, caller: CurrentCaller, trip_id: Identifier, step: Partner, body: Resolution
) -> JSONResponse:
    """Operator only: take a step that needs attention as settled by hand, as the note says."""
    order = OperatorOrder(step=step, action="resolve", who=caller.name, note=body.note)
    return await _operate(door, caller, trip_id, order)


async def _operate(door: Door, caller: Caller, trip_id: str, order: OperatorOrder) -> JSONResponse:
    trip = await trips.fetch(door.pool, trip_id, caller.tenant)
    if trip is None:
        return unknown_trip()
    if trip["status"] in _FINAL or not await door.coordinator(trip).operate(trip_id, order):
        return problem(409, "not_stuck", f"the {order.step} step does not need attention")
    return await _as_it_stands(door, caller, trip)


def _coordination(order: TripOrder, door: Door) -> Coordination:
    return order.coordination or door.settings.coordination


def _refuse_order(order: TripOrder, door: Door) -> JSONResponse | None:
    if _coordination(order, door) not in door.coordinators:
        return bad_field("coordination", "needs a broker; set NATS_URL and TRIPS_SEAL_KEY, or leave it out")
    if order.payment.currency not in door.currencies:
        return bad_field("payment.currency", f"must be one of {', '.join(door.currencies)}")
    today = datetime.now(UTC).date()
    first, last = today - timedelta(days=1), _years_later(today, YEARS_AHEAD)
    for field, day in order.days():
        if not first <= day <= last:  # the day before is today somewhere; the partner knows its own day
            return bad_field(field, f"must be from {first} to {last}")
    return None


def _refuse_more(order: TripOrder, door: Door, tenant: str) -> JSONResponse | None:
    if door.starters[_coordination(order, door)].is_full(tenant):
        return unavailable("backlog_full", "too many trips wait for their start; nothing was accepted", 5)
    return None


def _years_later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # the 29th of February
        return day.replace(year=day.year + years, day=28)


def _request(order: TripOrder, idempotency_key: str | None, door: Door, tenant: str) -> trips.Request:
    trip_id = new_trip_id()
    coordination = _coordination(order, door)
    here = trip_path("", trip_id)
    links = Links(
        self_=here,
        events=f"{here}/events",
        temporal_ui=f"{door.temporal_ui}/workflows/{trip_id}" if coordination == "orchestration" else None,
    )
    accepted = order.model_copy(update={"coordination": coordination})

    def booked_at(accepted_at: datetime) -> Booking:
        return Booking(
            trip_id=trip_id,
            tenant=tenant,
            order=accepted,
            accepted_at=accepted_at,
            links=links,
            traceparent=tracing.parent(),
        )

    return trips.Request(booked_at, tenant, idempotency_key, body_hash(order))


def body_hash(order: TripOrder) -> bytes:
    """The same for bodies that are the same by value."""
    return hashlib.sha256(json.dumps(order.as_sent(), sort_keys=True).encode()).digest()


def _is_same_body(known: trips.KnownKey, order: TripOrder, request: trips.Request) -> bool:
    if order.coordination not in (None, known.trip["coordination"]):
        return False
    if known.body_hash == request.body_hash:
        return True
    try:  # another version may have hashed it otherwise
        return body_hash(Booking.model_validate(known.booking).order) == request.body_hash
    except ValidationError:
        return False


async def _repeated(
    door: Door, known: trips.KnownKey, order: TripOrder, request: trips.Request, prefer: str | None
) -> JSONResponse:
    if not _is_same_body(known, order, request):
        return bad_field(
            "Idempotency-Key",
            "was used with another body; send the same body or another key",
            code="idempotency_key_reused",
        )
    return await _answer(door, request.tenant, known.trip, wait_seconds(prefer), otherwise=200)


async def _answer(door: Door, tenant: str, trip: dict[str, Any], wait_s: int, otherwise: int) -> JSONResponse:
    """200 with the trip if it settles within the wait; else the trip as it then stands, with `otherwise`.

    The wait ends when the process has to.
    """
    if wait_s and trip["status"] not in _FINAL and door.waits.may_take(tenant):
        with door.waits.held(tenant):
            trip = await _settled(door, tenant, trip, wait_s)
    status = 200 if trip["status"] in _FINAL else otherwise
    root_path = door.settings.root_path
    return JSONResponse(
        linked(trip, root_path), status, headers={"Location": trip_path(root_path, trip["trip_id"])}
    )


async def _settled(door: Door, tenant: str, trip: dict[str, Any], wait_s: int) -> dict[str, Any]:
    until = asyncio.get_running_loop().time() + wait_s
    with door.changes.watching(trip["trip_id"]) as may_have_ended:
        while trip["status"] not in _FINAL and asyncio.get_running_loop().time() < until:
            await may_have_ended(until)
            if door.stopping.is_set():
                break
            with contextlib.suppress(RecordAway):  # the trip is accepted all the same
                trip = await trips.fetch(door.pool, trip["trip_id"], tenant) or trip
    return trip


def unknown_trip() -> JSONResponse:
    return problem(404, "unknown_trip", "there is no such trip")
