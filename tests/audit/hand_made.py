"""Facts made by hand: a small system in which everything is right, to be spoilt one thing at a time."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from audit.facts import (
    Account,
    Facts,
    Member,
    PartnerFacts,
    SeenReservation,
    StepFact,
    StockRow,
    TripFact,
)
from audit.judge import judge
from temporal.workflows import WorkflowState
from trip.partner import Partner, ReservationStatus
from trip.trip import StepStatus, TripStatus

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = date(2026, 9, 1)
ROW = f"NH847/{DAY}"
BOOKED, UNDONE, GOING, STUCK = "booked", "undone", "going", "stuck"

AMOUNTS = {Partner("flight"): 64_000, Partner("points"): -5_000, Partner("payment"): 59_000}


def seen(key: str, partner: Partner, status: str = "confirmed", **changes: Any) -> SeenReservation:
    """A reservation of a trip made by hand."""
    fields: dict[str, Any] = {
        "key": key,
        "status": ReservationStatus(status),
        "reference": f"{key}-{partner}",
        "amount_minor": AMOUNTS[partner],
        "currency": "JPY",
        "expires_at": NOW + timedelta(minutes=15),
    }
    return SeenReservation(**(fields | changes))


def trip(trip_id: str, status: TripStatus, step: StepStatus) -> TripFact:
    """A trip of a flight, points and a payment, all of whose steps have one status."""
    known = step in (StepStatus.HELD, StepStatus.CONFIRMED)
    return TripFact(
        trip_id=trip_id,
        status=status,
        shown_status=status,
        version=7,
        accepted_at=NOW - timedelta(minutes=4),
        updated_at=NOW - timedelta(minutes=3),
        started=True,
        deadline_s=300,
        ordered=tuple(AMOUNTS),
        claims={Partner("flight"): ((ROW, 2),)},
        steps={
            p: StepFact(step, f"{trip_id}-{p}" if known else None, AMOUNTS[p] if known else None)
            for p in AMOUNTS
        },
        total_minor=59_000 if known else None,
        currency="JPY",
    )


def sound() -> Facts:
    """One trip of each kind: confirmed, undone, with everything held, and waiting for a person."""
    trips = [
        trip(BOOKED, TripStatus.CONFIRMED, StepStatus.CONFIRMED),
        trip(UNDONE, TripStatus.FAILED, StepStatus.RELEASED),
        trip(GOING, TripStatus.BOOKING, StepStatus.HELD),
        trip(STUCK, TripStatus.NEEDS_ATTENTION, StepStatus.UNKNOWN),
    ]
    facts = Facts(
        now=NOW,
        trips={trip.trip_id: trip for trip in trips},
        unreadable={},
        accepted_since=frozenset(),
        versions={trip.trip_id: (trip.status, trip.version) for trip in trips},
        partners={partner: PartnerFacts({}, {}) for partner in Partner},
        workflows={
            BOOKED: WorkflowState.COMPLETED,
            UNDONE: WorkflowState.COMPLETED,
            GOING: WorkflowState.RUNNING,
            STUCK: WorkflowState.RUNNING,
        },
    )
    for partner in AMOUNTS:
        for key, status in ((BOOKED, "confirmed"), (UNDONE, "released"), (GOING, "held")):
            facts = with_reservation(facts, partner, seen(key, partner, status))
    facts = with_counters(facts, Partner("flight"), stock={ROW: StockRow("NH847", DAY, 200, 196, 2, 2)})
    facts = with_counters(facts, Partner("points"), members=(Member("M-1001", 45_000, 5_000, 50_000),))
    books = (("authorised", 59_000), ("captured", 59_000), ("cards", -118_000))
    return with_counters(
        facts, Partner("payment"), accounts=tuple(Account(name, "JPY", balance) for name, balance in books)
    )


def with_counters(facts: Facts, partner: Partner, **counters: Any) -> Facts:
    """The facts with other counters at a partner."""
    return replace(facts, partners={**facts.partners, partner: replace(facts.partners[partner], **counters)})


def with_reservation(
    facts: Facts, partner: Partner, after: SeenReservation, before: SeenReservation | None = None
) -> Facts:
    """The facts with a reservation; the earlier read had the same, unless it is given."""
    old = facts.partners[partner]
    new = replace(
        old,
        before={**old.before, after.key: before or after},
        after={**old.after, after.key: after},
    )
    return replace(facts, partners={**facts.partners, partner: new})


def without_reservation(facts: Facts, partner: Partner, key: str) -> Facts:
    """The facts with the reservation in neither read."""
    old = facts.partners[partner]
    kept = {known: seen for known, seen in old.after.items() if known != key}
    return replace(facts, partners={**facts.partners, partner: replace(old, before=kept, after=kept)})


def with_trip(facts: Facts, trip_id: str, **changes: Any) -> Facts:
    """The facts with a trip whose record was otherwise in both reads."""
    changed = replace(facts.trips[trip_id], **changes)
    return replace(
        facts,
        trips={**facts.trips, trip_id: changed},
        versions={**facts.versions, trip_id: (changed.status, changed.version)},
    )


def with_step(facts: Facts, trip_id: str, partner: Partner, **changes: Any) -> Facts:
    """The facts with another step in a trip's record."""
    steps = dict(facts.trips[trip_id].steps)
    return with_trip(facts, trip_id, steps=steps | {partner: replace(steps[partner], **changes)})


def with_workflow(facts: Facts, workflow_id: str, state: WorkflowState) -> Facts:
    """The facts with another state of a workflow."""
    return replace(facts, workflows={**facts.workflows, workflow_id: state})


def found(facts: Facts) -> set[tuple[str, str]]:
    """The code and subject of each discrepancy in the facts."""
    return {(discrepancy.code, discrepancy.subject) for discrepancy in judge(facts).discrepancies}
