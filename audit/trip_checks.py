"""Checks of each trip's record against its partners."""

from collections.abc import Collection, Mapping

from audit.facts import ACTIVE, Facts, SeenReservation, StepFact, TripFact
from audit.tally import Check, Tally
from trip.partner import PAYMENT, POINTS, Partner, ReservationStatus
from trip.trip import StepStatus, TripStatus

_LOOK_FIRST = "see the trip's history in Temporal for what was booked, then"
_UNDONE = frozenset({StepStatus.PENDING, StepStatus.RELEASED, StepStatus.FAILED})

_BEHIND: Mapping[str, Collection[ReservationStatus]] = {
    StepStatus.HELD: frozenset(ReservationStatus),
    StepStatus.CONFIRMED: frozenset({ReservationStatus.CONFIRMED, ReservationStatus.RELEASED}),
}
"""Where a reservation can stand once an unfinished trip's record says this of its step: the partner is
never behind the record."""


def _owes_nothing(partner: Partner, step: StepFact) -> bool:
    """Whether nothing was left to redeem or to pay, so that the partner was never called."""
    return partner in (POINTS, PAYMENT) and step.amount_minor == 0 and step.reference is None


def _records(facts: Facts, tally: Tally) -> None:
    tally.judged = len(facts.trips) + len(facts.unreadable)
    for trip_id, problem in facts.unreadable.items():
        tally.wrong(trip_id, problem, "restore the row of `trips` from a backup or from Temporal's history")
    for trip in facts.trips.values():
        if trip.status != trip.shown_status:
            problem = f"column `status` says {trip.status}, the trip itself {trip.shown_status}"
            tally.wrong(trip.trip_id, problem, f"{_LOOK_FIRST} set both to how the trip ended")


def release_command(partner: Partner, key: str) -> str:
    """What releases a reservation, in a shell that has the partners' addresses and tokens."""
    name = f"TRIPS_{partner.value.upper()}"
    token = f'-H "Authorization: Bearer ${{{name}_TOKEN:-}}"'
    return f'curl -fsS -X DELETE {token} "${name}_URL/reservations/{key}"'


def _parts(facts: Facts, tally: Tally) -> None:
    for trip in facts.settled:
        if trip.status == TripStatus.CONFIRMED:
            tally.judged += 1
            for partner in trip.ordered:
                problem = _missing(trip, partner, facts.reservation(partner, trip.trip_id))
                if problem:
                    tally.wrong(trip.trip_id, problem, _rebook(trip, partner), partner)


def _missing(trip: TripFact, partner: Partner, found: SeenReservation | None) -> str | None:
    step = trip.steps.get(partner)
    if step is None:
        return f"the trip is confirmed, but its record has no step for the {partner} that was ordered"
    if _owes_nothing(partner, step):
        return None
    if found is None:
        return f"the trip is confirmed, but {partner} has no reservation of it"
    if found.status is not ReservationStatus.CONFIRMED:
        return f"the trip is confirmed, but its reservation at {partner} is {found.status}"
    return None


def _rebook(trip: TripFact, partner: Partner) -> str:
    return (
        f"book the {partner} part by hand under another key and note its reference in the record, "
        f"or cancel and refund the trip: DELETE /reservations/{trip.trip_id} at each of its partners"
    )


def _parts_agree(facts: Facts, tally: Tally) -> None:
    for trip in facts.settled:
        if trip.status == TripStatus.CONFIRMED:
            tally.judged += 1
            for partner, step in trip.steps.items():
                if problem := _difference(trip, partner, step, facts.reservation(partner, trip.trip_id)):
                    remedy = f"{_LOOK_FIRST} set the step's reference and amount to those booked"
                    tally.wrong(trip.trip_id, problem, remedy, partner)


def _difference(
    trip: TripFact, partner: Partner, step: StepFact, found: SeenReservation | None
) -> str | None:
    """How the reservation, if it is held or confirmed, differs from its step."""
    if found is None or found.status not in ACTIVE or _owes_nothing(partner, step):
        return None
    recorded = (step.reference, step.amount_minor, trip.currency)
    booked = (found.reference, found.amount_minor, found.currency)
    if recorded == booked:
        return None
    return "the record has {} at {} {}, {} has {} at {} {}".format(*recorded, partner, *booked)


def _totals(facts: Facts, tally: Tally) -> None:
    for trip in facts.settled:
        if trip.status != TripStatus.CONFIRMED:
            continue
        tally.judged += 1
        known = sum(s.amount_minor or 0 for p, s in trip.steps.items() if p is not PAYMENT)
        parts = known + trip.unknown_minor
        paid = trip.steps[PAYMENT].amount_minor if PAYMENT in trip.steps else None
        if not parts == trip.total_minor == paid:
            problem = f"the parts sum to {parts}, the total is {trip.total_minor}, {paid} was paid"
            tally.wrong(trip.trip_id, problem, "refund or charge the difference, then correct the record")


def _nothing_left(facts: Facts, tally: Tally) -> None:
    for trip in facts.settled:
        if trip.status == TripStatus.CONFIRMED:
            continue
        tally.judged += 1
        for partner in Partner:
            found = facts.reservation(partner, trip.trip_id)
            if found and found.status in ACTIVE:
                what = "charge" if partner is PAYMENT else "reservation"
                problem = (
                    f"the trip is {trip.status}, but a {what} of it is still {found.status} at {partner}"
                )
                remedy = release_command(partner, trip.trip_id)
                tally.wrong(trip.trip_id, problem, remedy, partner)


def _steps(facts: Facts, tally: Tally) -> None:
    for trip in (*facts.settled, *facts.unfinished):
        tally.judged += 1
        for partner, step in trip.steps.items():
            problem = _contradiction(trip, partner, step, facts.reservation(partner, trip.trip_id))
            if problem:
                remedy = f"compare GET /reservations/{trip.trip_id} at {partner} with the trip's history, "
                tally.wrong(trip.trip_id, problem, remedy + "then correct the step in the record", partner)


def _contradiction(
    trip: TripFact, partner: Partner, step: StepFact, found: SeenReservation | None
) -> str | None:
    if _owes_nothing(partner, step):
        if found and found.status in ACTIVE:
            return f"nothing was to be paid, but {partner} has {found.status} {found.amount_minor}"
        return None
    if not trip.is_final:
        return _behind(trip, partner, step, found)
    sound = (
        step.status == StepStatus.CONFIRMED if trip.status == TripStatus.CONFIRMED else step.status in _UNDONE
    )
    return None if sound else f"the trip is {trip.status}, but its step says {step.status}"


def _behind(trip: TripFact, partner: Partner, step: StepFact, found: SeenReservation | None) -> str | None:
    possible = _BEHIND.get(step.status)
    if possible is None:
        return None
    if found is None:
        return f"the step says {step.status}, but {partner} does not know the key"
    if found.status not in possible:
        return f"the step says {step.status}, but {partner} says {found.status}"
    return _difference(trip, partner, step, found)


def _orphans(facts: Facts, tally: Tally) -> None:
    for partner, partner_facts in facts.partners.items():
        for key in partner_facts.every_key():
            found = partner_facts.after.get(key) or partner_facts.before[key]
            if found.status not in ACTIVE:
                continue
            problem = _orphaned(facts, partner, key)
            if partner_facts.moved(key):
                tally.moving += [key] if problem else []
                continue
            tally.judged += 1
            if problem:
                problem = f"{found.status} at {partner}, but {problem}; find out who made it"
                tally.wrong(key, problem, release_command(partner, key), partner)


def _orphaned(facts: Facts, partner: Partner, key: str) -> str | None:
    if not facts.has_record(key):
        return "the record has no such trip"
    trip = facts.trips.get(key)
    if trip and partner not in trip.ordered:
        return f"the trip did not order the {partner}"
    return None


def _rows(facts: Facts, tally: Tally) -> None:
    for partner, partner_facts in facts.partners.items():
        tally.judged += len(partner_facts.unsound)
        for name, problem in partner_facts.unsound.items():
            tally.wrong(name, problem, f"mend what {partner} lists of it, or ask its operators to", partner)


ROWS_CHECK = Check("partner_unsound", "each row that a partner lists can be read, and is listed once", _rows)

TRIP_CHECKS = (
    Check("record_unsound", "each trip's record is readable and of one status", _records),
    ROWS_CHECK,
    Check("part_missing", "each confirmed trip has every part confirmed at its partner", _parts),
    Check("part_differs", "each confirmed part has the partner's reference and price", _parts_agree),
    Check("total_wrong", "each confirmed trip's parts sum to what was paid", _totals),
    Check("left_behind", "no failed or cancelled trip has a hold or charge left", _nothing_left),
    Check("step_contradicted", "no step in the record is contradicted by its partner", _steps),
    Check("without_trip", "each reservation held or confirmed belongs to a trip that ordered it", _orphans),
)
