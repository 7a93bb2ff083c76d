"""Each check finds its kind of discrepancy in facts that are otherwise right, and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from audit.facts import Account, Facts, Member, StepFact, StockRow
from audit.judge import CHECKS, judge
from temporal.workflows import WorkflowState
from tests.audit.hand_made import (
    BOOKED,
    DAY,
    GOING,
    NOW,
    ROW,
    STUCK,
    UNDONE,
    found,
    seen,
    sound,
    with_counters,
    with_reservation,
    with_step,
    with_trip,
    with_workflow,
    without_reservation,
)
from trip.partner import Partner
from trip.trip import StepStatus, TripStatus

FLIGHT, POINTS, PAYMENT, HOTEL = Partner("flight"), Partner("points"), Partner("payment"), Partner("hotel")

Spoil = Callable[[Facts], Facts]
Wrong = set[tuple[str, str]]


def spoilt_ledger(facts: Facts, **balances: int) -> Facts:
    accounts = facts.partners[PAYMENT].accounts
    return with_counters(
        facts,
        PAYMENT,
        accounts=tuple(replace(a, balance_minor=balances.get(a.account, a.balance_minor)) for a in accounts),
    )


def oversold(facts: Facts) -> Facts:
    return with_counters(facts, FLIGHT, stock={ROW: StockRow("NH847", DAY, 3, -1, 2, 2)})


def leaky(facts: Facts) -> Facts:
    return with_counters(facts, FLIGHT, stock={ROW: StockRow("NH847", DAY, 200, 197, 2, 2)})


def counted(facts: Facts, held: int, confirmed: int) -> Facts:
    row = StockRow("NH847", DAY, 200, 200 - held - confirmed, held, confirmed)
    return with_counters(facts, FLIGHT, stock={ROW: row})


def members(facts: Facts, *some: tuple[int, int, int]) -> Facts:
    return with_counters(facts, POINTS, members=tuple(Member(f"M-{n}", *m) for n, m in enumerate(some)))


def choreographed(facts: Facts, trip_id: str, **changes: Any) -> Facts:
    """The trip as one that no workflow carries."""
    workflows = {key: state for key, state in facts.workflows.items() if key != trip_id}
    return with_trip(replace(facts, workflows=workflows), trip_id, is_choreographed=True, **changes)


NOTHING_SPENT = StepFact(StepStatus.CONFIRMED, None, 0)

SPOILT: dict[str, tuple[Spoil, Wrong]] = {
    "nothing": (lambda f: f, set()),
    "unreadable row": (
        lambda f: replace(f, unreadable={"torn": "its record cannot be read"}),
        {("record_unsound", "torn")},
    ),
    "unreadable row of a partner": (
        lambda f: with_counters(f, FLIGHT, unsound={"torn": "amount_minor: no integer"}),
        {("partner_unsound", "torn")},
    ),
    "another currency": (
        lambda f: with_reservation(f, FLIGHT, seen(BOOKED, FLIGHT, currency="EUR")),
        {("part_differs", BOOKED)},
    ),
    "another amount paid": (
        lambda f: with_reservation(f, PAYMENT, seen(GOING, PAYMENT, "held", amount_minor=1)),
        {("step_contradicted", GOING), ("ledger_differs", "authorised JPY")},
    ),
    "two statuses": (
        lambda f: with_trip(f, BOOKED, shown_status=TripStatus.FAILED),
        {("record_unsound", BOOKED)},
    ),
    "part absent": (
        lambda f: counted(without_reservation(f, FLIGHT, BOOKED), 2, 0),
        {("part_missing", BOOKED)},
    ),
    "part released": (
        lambda f: counted(with_reservation(f, FLIGHT, seen(BOOKED, FLIGHT, "released")), 2, 0),
        {("part_missing", BOOKED)},
    ),
    "part only held": (
        lambda f: counted(with_reservation(f, FLIGHT, seen(BOOKED, FLIGHT, "held")), 4, 0),
        {("part_missing", BOOKED)},
    ),
    "step not recorded": (
        lambda f: with_trip(f, BOOKED, ordered=(HOTEL, FLIGHT, POINTS, PAYMENT)),
        {("part_missing", BOOKED)},
    ),
    "other reference": (
        lambda f: with_step(f, BOOKED, FLIGHT, reference="else"),
        {("part_differs", BOOKED)},
    ),
    "other amount": (
        lambda f: with_step(f, BOOKED, PAYMENT, amount_minor=1),
        {("part_differs", BOOKED), ("total_wrong", BOOKED)},
    ),
    "other total": (lambda f: with_trip(f, BOOKED, total_minor=1), {("total_wrong", BOOKED)}),
    "hold left": (
        lambda f: counted(with_reservation(f, FLIGHT, seen(UNDONE, FLIGHT, "held")), 4, 2),
        {("left_behind", UNDONE)},
    ),
    "charge left": (
        lambda f: spoilt_ledger(
            with_reservation(f, PAYMENT, seen(UNDONE, PAYMENT)), captured=118_000, cards=-177_000
        ),
        {("left_behind", UNDONE)},
    ),
    "final step unknown": (
        lambda f: with_step(f, UNDONE, POINTS, status=StepStatus.UNKNOWN),
        {("step_contradicted", UNDONE)},
    ),
    "confirmed trip, step held": (
        lambda f: with_step(f, BOOKED, POINTS, status=StepStatus.HELD),
        {("step_contradicted", BOOKED)},
    ),
    "held step, key unknown": (
        lambda f: counted(without_reservation(f, FLIGHT, GOING), 0, 2),
        {("step_contradicted", GOING)},
    ),
    "held step, other reference": (
        lambda f: with_step(f, GOING, FLIGHT, reference="else"),
        {("step_contradicted", GOING)},
    ),
    "confirmed step, only held": (
        lambda f: with_step(f, GOING, FLIGHT, status=StepStatus.CONFIRMED),
        {("step_contradicted", GOING)},
    ),
    "reservation of nobody": (
        lambda f: with_reservation(f, HOTEL, seen("lab-1", FLIGHT, "held")),
        {("without_trip", "lab-1")},
    ),
    "reservation not ordered": (
        lambda f: with_reservation(f, HOTEL, seen(BOOKED, FLIGHT)),
        {("without_trip", BOOKED)},
    ),
    "terminated": (
        lambda f: with_workflow(f, GOING, WorkflowState.TERMINATED),
        {("workflow_ended", GOING)},
    ),
    "lost by Temporal": (
        lambda f: with_workflow(f, STUCK, WorkflowState.MISSING),
        {("workflow_ended", STUCK)},
    ),
    "goes on after its end": (
        lambda f: with_workflow(f, UNDONE, WorkflowState.RUNNING),
        {("workflow_running", UNDONE)},
    ),
    "workflow of nobody": (
        lambda f: with_workflow(f, "stray", WorkflowState.COMPLETED),
        {("without_record", "stray")},
    ),
    "overdue": (
        lambda f: with_trip(f, GOING, accepted_at=NOW - timedelta(minutes=16)),
        {("overdue", GOING)},
    ),
    "choreographed, without a workflow": (lambda f: choreographed(f, GOING), set()),
    "choreographed and overdue": (
        lambda f: choreographed(f, GOING, accepted_at=NOW - timedelta(minutes=16)),
        {("overdue", GOING)},
    ),
    "decided long ago": (
        lambda f: choreographed(f, GOING, decided_at=NOW - timedelta(minutes=11)),
        {("untold_old", GOING)},
    ),
    "stock held too many": (lambda f: counted(f, 3, 2), {("stock_differs", ROW)}),
    "stock confirmed too few": (lambda f: counted(f, 2, 1), {("stock_differs", ROW)}),
    "stock row missing": (lambda f: with_counters(f, FLIGHT, stock={}), {("stock_differs", ROW)}),
    "stock oversold": (oversold, {("stock_unsound", ROW)}),
    "stock does not add up": (leaky, {("stock_unsound", ROW)}),
    "points lost": (lambda f: members(f, (44_000, 5_000, 50_000)), {("points_differ", "all members")}),
    "points held too many": (
        lambda f: members(f, (45_000, 6_000, 50_000)),
        {("points_differ", "all members")},
    ),
    "points below 0": (
        lambda f: members(f, (46_000, 5_000, 50_000), (-1_000, 0, 0)),
        {("points_negative", "M-1")},
    ),
    "ledger one-sided": (lambda f: spoilt_ledger(f, cards=0), {("ledger_unbalanced", "JPY")}),
    "captured too much": (
        lambda f: spoilt_ledger(f, captured=59_001, cards=-118_001),
        {("ledger_differs", "captured JPY")},
    ),
    "ledger of other names": (
        lambda f: with_counters(
            f, PAYMENT, accounts=(Account("a", "JPY", 59_000), Account("b", "JPY", -59_000))
        ),
        {("ledger_differs", "captured JPY"), ("ledger_differs", "authorised JPY")},
    ),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_found_and_nothing_else(kind: str) -> None:
    spoil, wrong = SPOILT[kind]
    assert found(spoil(sound())) == wrong


def test_every_check_is_seen_to_fail() -> None:
    seen_codes = {code for _, wrong in SPOILT.values() for code, _ in wrong}
    assert seen_codes == {check.code for check in CHECKS}


def test_in_flight_and_waiting_are_told_apart_from_wrong() -> None:
    verdict = judge(sound())
    assert verdict.in_flight == {GOING}
    assert verdict.needs_attention == (STUCK,)


IN_FLIGHT: dict[str, Spoil] = {
    "started late": lambda f: with_workflow(with_trip(f, STUCK, started=False), STUCK, WorkflowState.MISSING),
    "ended while looked at": lambda f: replace(
        with_workflow(f, GOING, WorkflowState.COMPLETED), versions={**f.versions, GOING: ("confirmed", 9)}
    ),
    "accepted while looked at": lambda f: replace(
        counted(without_reservation(f, FLIGHT, BOOKED), 2, 0), accepted_since=frozenset({BOOKED})
    ),
    "repaired while looked at": lambda f: with_reservation(
        counted(f, 2, 0), FLIGHT, seen(BOOKED, FLIGHT), seen(BOOKED, FLIGHT, "held")
    ),
    "released while looked at": lambda f: with_reservation(
        counted(f, 2, 0), FLIGHT, seen(BOOKED, FLIGHT, "released"), seen(BOOKED, FLIGHT)
    ),
    "corrected while looked at": lambda f: replace(
        with_step(f, BOOKED, FLIGHT, reference="else"), versions={**f.versions, BOOKED: ("confirmed", 8)}
    ),
    "nobody's, but still moving": lambda f: with_reservation(
        f, HOTEL, seen("lab-1", FLIGHT), seen("lab-1", FLIGHT, "held")
    ),
    "confirmed while looked at": lambda f: with_reservation(
        counted(f, 0, 4), FLIGHT, seen(GOING, FLIGHT), seen(GOING, FLIGHT, "held")
    ),
    "expired, not swept yet": lambda f: with_reservation(
        f, FLIGHT, seen(GOING, FLIGHT, "expired", expires_at=NOW - timedelta(seconds=1))
    ),
    "workflow closes a little later": lambda f: with_trip(
        with_workflow(f, BOOKED, WorkflowState.RUNNING), BOOKED, updated_at=NOW
    ),
    "nothing was left to pay": lambda f: with_trip(
        f, UNDONE, steps={FLIGHT: StepFact(StepStatus.RELEASED, "f", 5_000), PAYMENT: NOTHING_SPENT}
    ),
    "undone past its deadline, with a person": lambda f: with_trip(
        f, STUCK, accepted_at=NOW - timedelta(days=1)
    ),
}


@pytest.mark.parametrize("kind", IN_FLIGHT)
def test_not_wrong(kind: str) -> None:
    assert found(IN_FLIGHT[kind](sound())) == set()


def test_a_moving_counter_is_wrong_only_outside_its_range() -> None:
    moving = with_reservation(sound(), FLIGHT, seen(GOING, FLIGHT), seen(GOING, FLIGHT, "held"))
    for held, confirmed, wrong in ((2, 2, False), (0, 4, False), (0, 2, False), (3, 2, True), (2, 1, True)):
        assert (("stock_differs", ROW) in found(counted(moving, held, confirmed))) is wrong
    assert f"flight {ROW}" in judge(moving).in_flight
