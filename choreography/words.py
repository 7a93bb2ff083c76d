"""The messages that `trips` tells of a row. Pure."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from choreography.decisions import slip_of
from choreography.facts import Facts
from choreography.messages import (
    TRIPS,
    Bought,
    Captured,
    Data,
    Message,
    Requested,
    SettledData,
    Slip,
    Withdrawn,
    message_id,
    subject,
)
from record.noted import NotedMessage
from record.pool import document
from trip.partner import PAYMENT, Partner, Verb
from trip.plan import part
from trip.trip import Booking

Sealing = Callable[[str, str], str]
"""Seals a card's token for the trip of an id."""


_ASKS_FOR: dict[type[Message], Verb] = {
    Requested: Verb.RESERVE,
    Bought: Verb.CONFIRM,
    Captured: Verb.CONFIRM,
    Withdrawn: Verb.RELEASE,
}


def word(kind: type[Message], booking: Booking, facts: Facts, at: datetime, seal: Sealing) -> Message:
    """A message of that kind, as it is told the next time after what was heard."""
    slip = _asking(booking, seal) if kind is Requested else slip_of(booking)
    common: dict[str, Any] = {"slip": slip, "again": facts.again, "made": _made(facts, _ASKS_FOR[kind])}
    data = SettledData(**common, seq=0) if kind is Captured else Data(**common)
    what = kind.__name__.lower()
    identity = message_id(TRIPS, booking.trip_id, what, facts.again)
    return kind(id=identity, source=TRIPS, subject=booking.trip_id, time=at, data=data)


def _made(facts: Facts, verb: Verb) -> dict[Partner, int]:
    """How many attempts each partner has told of."""
    return {
        partner: trouble.attempts
        for partner, heard in facts.partners.items()
        if (trouble := heard.trouble.get(verb)) is not None
    }


def noted(message: Message) -> NotedMessage:
    """The message as it is kept: without what it asks of partners, which has the card's token."""
    if message.data.slip.parts:
        data = message.data.model_copy(update={"slip": message.data.slip.bare()})
        message = message.model_copy(update={"data": data})
    return NotedMessage(
        message.subject, message.id, subject(message), message.source, message.time, document(message)
    )


def _asking(booking: Booking, seal: Sealing) -> Slip:
    parts = {partner: part(booking.order, partner) for partner in booking.order.partners()}
    parts[PAYMENT]["card_token"] = seal(parts[PAYMENT]["card_token"], booking.trip_id)
    return slip_of(booking).model_copy(update={"parts": parts})
