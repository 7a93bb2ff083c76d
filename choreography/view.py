"""The trip that its row and what was heard add up to. Pure."""

from datetime import datetime, timedelta

from choreography.decisions import Row, is_confirmed, is_resolved, unsettled
from choreography.facts import Facts, Heard, State, Trouble
from trip.fence import Mark
from trip.partner import PAYMENT, Partner, Verb
from trip.plan import stages
from trip.trip import Booking, CallRecord, Step, StepError, StepStatus, Total, Trip, TripStatus, new_trip

_DECIDED = {
    Mark.CAPTURES: (Verb.CONFIRM, TripStatus.BOOKING, TripStatus.CONFIRMED),
    Mark.UNDONE: (Verb.RELEASE, TripStatus.COMPENSATING, None),
}
"""After each decision: what its steps wait for, the status meanwhile, and the status at the end."""

_SHOWN = {
    "held": StepStatus.HELD,
    "refused": StepStatus.FAILED,
    "lapsed": StepStatus.FAILED,
    "confirmed": StepStatus.CONFIRMED,
}


def view(booking: Booking, row: Row, now: datetime, attention: timedelta) -> Trip:
    """The trip as the front door shows it at `now`. A decided step that takes longer needs attention."""
    trip = new_trip(booking)
    trip.updated_at = now
    trip.interventions = list(row.facts.interventions)
    trip.failure = row.ending.failure if row.ending else None
    trip.status = _status(booking, row, now, attention)
    reached = _reached(booking, row)
    trip.steps = [_step(row, partner, partner in reached) for partner in booking.order.partners()]
    trip.total = Total(amount_minor=_to_pay(booking, row.facts), currency=booking.order.payment.currency)
    return trip


def stuck(booking: Booking, row: Row, now: datetime, attention: timedelta) -> list[Partner]:
    """The steps that need attention."""
    if row.mark not in _DECIDED:
        return []
    verb = _DECIDED[row.mark][0]
    decided_at = row.facts.decided_at
    late = decided_at is not None and now - decided_at > attention
    return [p for p in unsettled(booking, row) if late or _gave_up(row.facts.of(p).trouble.get(verb))]


def _gave_up(trouble: Trouble | None) -> bool:
    return trouble is not None and trouble.given_up


def _status(booking: Booking, row: Row, now: datetime, attention: timedelta) -> TripStatus:
    if row.mark is Mark.BARRED and row.ending is not None:
        return row.ending.status
    if row.mark not in _DECIDED:
        return TripStatus.BOOKING
    _, meanwhile, at_last = _DECIDED[row.mark]
    if stuck(booking, row, now, attention):
        return TripStatus.NEEDS_ATTENTION
    if unsettled(booking, row):
        return meanwhile
    return at_last or (row.ending.status if row.ending else TripStatus.FAILED)


def _to_pay(booking: Booking, facts: Facts) -> int | None:
    """What was due before the payment, once every step before it is held."""
    before = [facts.of(partner).held for partner in booking.order.partners() if partner is not PAYMENT]
    amounts = [held.amount_minor for held in before if held is not None]
    return sum(amounts) if len(amounts) == len(before) else None


def _step(row: Row, partner: Partner, is_reached: bool) -> Step:
    heard = row.facts.of(partner)
    held, trouble = heard.held or heard.confirmed, heard.trouble.get(Verb.RESERVE)
    tried = trouble.attempts if trouble else int(is_reached)
    outcome = held or heard.refused
    step = Step(
        name=partner,
        status=_step_status(row, partner, is_reached),
        reference=held.reference if held else None,
        amount_minor=held.amount_minor if held else None,
        attempts=_attempts(outcome, tried),
        error=_error(heard),
        held_at=held.at if held and held.reference else None,
        expires_at=held.expires_at if held else None,
        confirmation=_call(heard, Verb.CONFIRM, heard.confirmed),
        release=_call(heard, Verb.RELEASE, heard.released if is_reached else None),
    )
    if heard.confirmed and heard.confirmed.reference:
        step.reference = heard.confirmed.reference
    return step


def _attempts(outcome: State | None, tried: int) -> int:
    if outcome is None:
        return tried
    return 0 if outcome.seq == 0 else max(outcome.attempts, 1)


def _reached(booking: Booking, row: Row) -> set[Partner]:
    """The partners of whom a hold may have been asked: all stages before theirs hold, or they say so."""
    if row.mark in (None, Mark.BARRED):
        return set()
    reached = {partner for partner, heard in row.facts.partners.items() if heard.held or heard.refused}
    for stage in stages(booking.order):
        reached |= set(stage)
        if not all(heard.held or heard.confirmed for heard in map(row.facts.of, stage)):
            break
    return reached


def _step_status(row: Row, partner: Partner, is_reached: bool) -> StepStatus:
    heard = row.facts.of(partner)
    latest = heard.latest()
    if is_resolved(partner, row.facts):
        return StepStatus.CONFIRMED if row.mark is Mark.CAPTURES else StepStatus.RELEASED
    if row.mark is not Mark.UNDONE and is_confirmed(partner, row.facts):
        return StepStatus.CONFIRMED
    if latest is None:
        return StepStatus.UNKNOWN if is_reached else StepStatus.PENDING
    kind, _ = latest
    if kind == "released":
        return StepStatus.RELEASED if is_reached else StepStatus.PENDING
    return _SHOWN[kind]


def _error(heard: Heard) -> StepError | None:
    if heard.refused is not None:
        return heard.refused.error
    if heard.lapsed is not None:
        return StepError(code="expired", message="the hold expired before it was confirmed")
    latest = max(heard.trouble.values(), key=Trouble.rank, default=None)
    return latest.error if latest else None


def _call(heard: Heard, verb: Verb, done: State | None) -> CallRecord | None:
    trouble = heard.trouble.get(verb)
    if done is not None:
        return CallRecord(attempts=done.attempts, at=done.at, error=trouble.error if trouble else None)
    if trouble is not None:
        return CallRecord(attempts=trouble.attempts, at=trouble.at, error=trouble.error)
    return None
