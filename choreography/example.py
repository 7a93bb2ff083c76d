"""An example of every message, from everyone who may tell it: those of one trip of every part. Pure."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from choreography.facts import Facts
from choreography.messages import (
    Bought,
    Captured,
    Message,
    Requested,
    Slip,
    Tried,
    TriedData,
    Withdrawn,
    message_id,
)
from choreography.protocol import Due, note, tells
from choreography.words import word
from partners.participant import Noted, Refusal
from partners.store import Code, Status
from trip.attempts import AttemptOutcome, FailedAttempt
from trip.examples import example_order
from trip.order import TripOrder
from trip.partner import PAYMENT, Partner, Verb
from trip.trip import Booking, Links

_AT = datetime(2027, 1, 4, 9, tzinfo=UTC)
_TRIP_ID = "0bcdbd43-116f-4e66-8d18-2ed17279ab4c"
_FIRST_DAY = date(2027, 4, 5)
_SEALED = "sealed:v1:YSBub25jZSwgYW5kIGEgdG9rZW4gdGhhdCBub2JvZHkgcmVhZHM="
_STATES: tuple[dict[str, Any], ...] = (
    {"status": Status.HELD, "seq": 1},
    {"status": Status.CONFIRMED, "seq": 2},
    {"status": Status.EXPIRED, "seq": 2},
    {"status": Status.RELEASED, "seq": 2},
    {"status": Status.RELEASED, "seq": 1, "refusal": Refusal(code=Code.SOLD_OUT, message="nothing is left")},
)


def told() -> Iterator[Message]:
    """The messages: those of partners first, and a withdrawal last."""
    requested = _word(Requested)
    for partner in Partner:
        kept = note(partner, Due(slip=requested.data.slip, due_minor=0), attempts=1).model_dump_json()
        yield from (tells(partner, _row(partner, kept, state), _AT) for state in _STATES)
        yield _tried(partner, requested.data.slip.bare())
    yield requested
    yield from map(_word, (Bought, Captured, Withdrawn))


def _word(kind: type[Message]) -> Message:
    here = f"/trips/{_TRIP_ID}"
    booking = Booking(
        trip_id=_TRIP_ID,
        tenant="example",
        order=TripOrder.model_validate(example_order(_FIRST_DAY)),
        accepted_at=_AT,
        links=Links(self_=here, events=f"{here}/events", temporal_ui=None),
    )
    return word(kind, booking, Facts(), _AT, lambda *_: _SEALED)


def _row(partner: Partner, kept: str, state: dict[str, Any]) -> Noted:
    return Noted(
        key=_TRIP_ID,
        reference=f"{partner.upper()}-V9B0DBRB080N",
        amount_minor=123_000 if partner is PAYMENT else 54_000,
        currency="JPY",
        expires_at=_AT + timedelta(minutes=15),
        note=kept,
        **state,
    )


def _tried(partner: Partner, slip: Slip) -> Tried:
    attempt = FailedAttempt(
        step=partner,
        verb=Verb.RESERVE,
        attempt=1,
        at=_AT,
        took_ms=1000,
        outcome=AttemptOutcome.UNANSWERED,
        error="no answer within 1 s",
        next_at=_AT + timedelta(seconds=2),
    )
    return Tried(
        id=message_id(partner.value, _TRIP_ID, f"{attempt.verb}-{attempt.attempt}", 0),
        source=partner.value,
        subject=_TRIP_ID,
        time=_AT,
        data=TriedData(slip=slip, attempt=attempt),
    )
