"""What a trip's row decides next, and what its decision waits for. Pure."""

from datetime import datetime, timedelta
from itertools import chain
from typing import NamedTuple

from choreography.facts import Facts, Heard
from choreography.messages import Bought, Captured, Message, Requested, Slip, Withdrawn
from partners.store import Code
from trip.fence import Ending, Mark, failed
from trip.partner import EXPIRED, Partner, Verb
from trip.plan import stages
from trip.trip import Booking, Failure

TO_CONFIRM = timedelta(seconds=2)
"""What every hold must have left when the capture is decided."""

EXPLAINED = timedelta(seconds=5)
"""A release that no message of another partner explains by then came from outside."""


class Row(NamedTuple):
    """What a trip's row says, its booking apart."""

    mark: Mark | None
    ending: Ending | None
    facts: Facts


class Capture(NamedTuple):
    """Capture is to be decided. `due_minor`: what is to pay; with nothing to pay no partner captures."""

    due_minor: int


class Undo(NamedTuple):
    """The trip is to be undone. `after_capture`: a hold has expired, so that the capture does not stand."""

    ending: Ending
    after_capture: bool = False


def decide(booking: Booking, row: Row, now: datetime) -> Capture | Undo | None:
    """What the row is to decide next. None if nothing is to decide, or not yet.

    A trip that is confirmed as a whole is final: what is heard after that decides nothing.
    """
    captures = row.mark is Mark.CAPTURES
    if not captures and row.mark is not Mark.BEGUN:
        return None
    if captures and not unsettled(booking, row):
        return None
    if failure := _failure(booking, row.facts, now):
        return Undo(failed(failure), after_capture=captures)
    return None if captures else _decide_on_holds(booking, row.facts, now)


def _decide_on_holds(booking: Booking, facts: Facts, now: datetime) -> Capture | Undo | None:
    steps = booking.order.partners()
    holds = {partner: held for partner in steps if (held := facts.of(partner).held)}
    if len(holds) < len(steps):
        return None
    for partner, held in holds.items():
        if held.expires_at is not None and held.expires_at < now + TO_CONFIRM:
            return Undo(failed(_expires(partner)))
    return Capture(due_minor=holds[steps[-1]].amount_minor)


def _failure(booking: Booking, facts: Facts, now: datetime) -> Failure | None:
    """Why the trip fails. A refusal and a lapse come first, since they explain the releases of others."""
    steps = [partner for partner in booking.order.partners() if not is_resolved(partner, facts)]
    heard = [(partner, facts.of(partner)) for partner in steps]
    tried_for = heard if booking.order.when_partner_down == "fail" else []
    reasons = chain(
        (_refused(*one) for one in heard),
        (_lapsed(*one) for one in heard),
        (_released_from_outside(*one, now) for one in heard),
        (_given_up(*one) for one in tried_for),
    )
    return next(filter(None, reasons), None)


def _refused(partner: Partner, heard: Heard) -> Failure | None:
    if heard.refused is None or heard.refused.error is None:
        return None
    return Failure(step=partner, code=heard.refused.error.code, message=heard.refused.error.message)


def _lapsed(partner: Partner, heard: Heard) -> Failure | None:
    if heard.lapsed is None:
        return None
    return Failure(step=partner, code=EXPIRED, message="the hold expired before it was confirmed")


def _released_from_outside(partner: Partner, heard: Heard, now: datetime) -> Failure | None:
    if heard.released is None or heard.released.at >= now - EXPLAINED:
        return None
    return Failure(step=partner, code=Code.CLOSED, message="the reservation was released from outside")


def _given_up(partner: Partner, heard: Heard) -> Failure | None:
    trouble = heard.trouble.get(Verb.RESERVE)
    if trouble is None or not trouble.given_up or heard.latest() is not None:
        return None
    return Failure(step=partner, code=trouble.error.code, message=trouble.error.message)


def _expires(partner: Partner) -> Failure:
    return Failure(step=partner, code=EXPIRED, message="the hold would expire before it can be confirmed")


def says(booking: Booking, row: Row) -> type[Message] | None:
    """What `trips` tells of the row as it stands, at first and again. None if nobody waits for a word."""
    if row.mark is Mark.BEGUN:
        return Requested
    if row.mark is Mark.CAPTURES:
        last = booking.order.partners()[-1]
        return Captured if is_confirmed(last, row.facts) else Bought
    return Withdrawn if row.mark is Mark.UNDONE else None


def slip_of(booking: Booking) -> Slip:
    """The stages of the booking's order."""
    return Slip(stages=tuple(tuple(stage) for stage in stages(booking.order)))


def unsettled(booking: Booking, row: Row) -> list[Partner]:
    """The steps that the decision still waits for, in their order; none before it is made."""
    if row.mark is Mark.CAPTURES:
        return [p for p in booking.order.partners() if not is_confirmed(p, row.facts)]
    if row.mark is Mark.UNDONE:
        return [p for p in _to_close(booking, row.facts) if not is_closed(p, row.facts)]
    return []


def is_confirmed(partner: Partner, facts: Facts) -> bool:
    """Whether the step is confirmed, or nothing was asked of it, or an operator settled it."""
    heard = facts.of(partner)
    nothing_asked = heard.held is not None and heard.held.reference is None
    return heard.confirmed is not None or nothing_asked or is_resolved(partner, facts)


def is_closed(partner: Partner, facts: Facts) -> bool:
    """Whether the step holds nothing, and never will."""
    kind, _ = facts.of(partner).latest() or (None, None)
    return kind in ("refused", "lapsed", "released") or is_resolved(partner, facts)


def is_resolved(partner: Partner, facts: Facts) -> bool:
    """Whether an operator settled the step by hand, since the row last decided.

    What was settled as confirmed is not settled as released.
    """
    since = facts.decided_at
    return any(
        one.step is partner and one.action == "resolve" and (since is None or one.at >= since)
        for one in facts.interventions
    )


def _to_close(booking: Booking, facts: Facts) -> list[Partner]:
    """The partners that may hold something: after a refusal, no later stage can have been reached."""
    slip, steps = slip_of(booking), booking.order.partners()
    place = {partner: slip.place(partner) or 0 for partner in steps}
    furthest = min((place[p] for p in steps if facts.of(p).refused), default=len(slip.stages))
    return [p for p in steps if place[p] <= furthest]
