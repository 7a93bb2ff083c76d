"""A trip's row in the record's terms and in those of the saga, and when it is to be looked at next."""

import random
from datetime import datetime, timedelta
from typing import NamedTuple, Self

from choreography.advance import deadline
from choreography.decisions import Row
from choreography.facts import Facts
from choreography.view import view
from config.settings import Settings
from record.choreographed import Found, Written
from record.pool import document
from trip.fence import Ending, Mark
from trip.trip import FINAL_STATUSES, Booking

QUIET = timedelta(seconds=2)
"""A trip that has not changed for so long stands still."""


class Rules(NamedTuple):
    """When a decided step needs attention, and how seldom a trip that stands still is looked at."""

    attention: timedelta
    cap: timedelta

    @classmethod
    def of(cls, config: Settings) -> Self:
        """As the settings say."""
        return cls(timedelta(seconds=config.attention_s), timedelta(seconds=config.retry_cap_s))


def read_row(found: Found) -> tuple[Booking, Row]:
    """The booking and the row. Raises ValidationError if another version wrote what is unknown here."""
    booking = Booking.model_validate_json(found.booking)
    return booking, Row(
        mark=Mark(found.sending) if found.sending else None,
        ending=Ending.model_validate_json(found.ending) if found.ending else None,
        facts=Facts.model_validate_json(found.facts) if found.facts else Facts(),
    )


def is_still(found: Found) -> bool:
    """Whether what the trip waits for may be lost. A trip that moves is told nothing again."""
    return found.now - found.updated_at >= QUIET


def changed(found: Found, booking: Booking, row: Row, rules: Rules) -> Written:
    """What is to be written, so that the row says `row`, and the trip shows it."""
    trip = view(booking, row, found.now, rules.attention)
    trip.updated_at = found.updated_at
    shown = document(trip)
    is_news = shown != found.trip
    if is_news:
        trip.updated_at = found.now
        shown = document(trip)
    is_final = trip.status in FINAL_STATUSES
    return Written(
        trip_id=found.trip_id,
        sending=row.mark,
        ending=document(row.ending) if row.ending else None,
        facts=document(row.facts),
        trip=shown if is_news else None,
        status=trip.status if is_news else None,
        updated_at=trip.updated_at,
        due_at=None if is_final else _next_look(found, booking, row, trip.updated_at, rules),
    )


def _next_look(found: Found, booking: Booking, row: Row, moved_at: datetime, rules: Rules) -> datetime:
    """When the trip is looked at: the longer it stands still, the seldomer, but at each of its times.

    A look that comes soon stays, since to move it costs an entry in each of the table's indexes.
    """
    pause = min(max(found.now - moved_at, QUIET), rules.cap)
    times = [found.now + random.uniform(0.75, 1.25) * pause]
    if row.mark in (None, Mark.BEGUN):
        times.append(deadline(booking))
    if row.facts.decided_at is not None:
        times.append(row.facts.decided_at + rules.attention)
    if found.due_at is not None:
        times.append(found.due_at)
    return min(time for time in times if time > found.now)
