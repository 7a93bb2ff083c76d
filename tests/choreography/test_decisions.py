"""What a trip's row decides, and why, where more than one thing was heard."""

from datetime import timedelta

import pytest

from choreography.decisions import EXPLAINED, Capture, Row, Undo, decide, says, unsettled
from choreography.messages import Bought, Captured, Requested, Withdrawn
from choreography.view import view
from tests.choreography.scenario import ATTENTION, GAVE_UP, LATE, SOON, START, Keys, Scenario
from tests.choreography.store_model import Path, Standing
from trip.fence import Mark
from trip.partner import PAYMENT, POINTS, Partner
from trip.trip import Intervention, StepStatus

HOTEL, TOUR = Partner("hotel"), Partner("tour")
HELD, CONFIRMED, REFUSED = (Standing.HELD,), (Standing.HELD, Standing.CONFIRMED), (Standing.REFUSED,)
EXPIRED, RELEASED = (Standing.HELD, Standing.EXPIRED), (Standing.HELD, Standing.RELEASED)
TRIP = Scenario(("hotel", "tour"), redeem=20)
EXPLAINED_BY = START + 2 * EXPLAINED


def row(mark: Mark | None, told: dict[Partner, Path | str], *resolved: Partner) -> Row:
    """The row after each partner told its states up to this one."""
    heard: Keys = frozenset(
        (partner.value, path if isinstance(path, str) else path[: n + 1])
        for partner, path in told.items()
        for n in range(1 if isinstance(path, str) else len(path))
    )
    settled = [Intervention(step=step, action="resolve", who="operator", at=SOON) for step in resolved]
    facts = TRIP.fold(heard).model_copy(update={"interventions": settled, "decided_at": START})
    return Row(mark, None, facts)


def all_of(path: Path, **others: Path) -> dict[Partner, Path | str]:
    told: dict[Partner, Path | str] = dict.fromkeys(TRIP.partners, path)
    return told | {Partner(name): other for name, other in others.items()}


@pytest.mark.parametrize("missing", TRIP.partners)
def test_the_capture_waits_for_every_hold(missing: Partner) -> None:
    everyone = all_of(HELD)
    assert decide(TRIP.booking, row(Mark.BEGUN, everyone), SOON) == Capture(due_minor=180)
    del everyone[missing]
    assert decide(TRIP.booking, row(Mark.BEGUN, everyone), SOON) is None


@pytest.mark.parametrize(
    ("told", "step", "code"),
    [
        ({HOTEL: RELEASED, TOUR: REFUSED}, TOUR, "sold_out"),
        ({HOTEL: RELEASED, TOUR: RELEASED, POINTS: HELD, PAYMENT: REFUSED}, PAYMENT, "sold_out"),
        ({HOTEL: RELEASED, TOUR: EXPIRED}, TOUR, "expired"),
        ({HOTEL: EXPIRED, TOUR: REFUSED}, TOUR, "sold_out"),
        ({HOTEL: RELEASED, TOUR: HELD}, HOTEL, "closed"),
        ({HOTEL: GAVE_UP, TOUR: RELEASED}, TOUR, "closed"),
        ({HOTEL: GAVE_UP, TOUR: HELD}, HOTEL, "partner_unavailable"),
    ],
)
def test_what_explains_the_rest_is_the_reason(
    told: dict[Partner, Path | str], step: Partner, code: str
) -> None:
    decision = decide(TRIP.booking, row(Mark.BEGUN, told), EXPLAINED_BY)
    assert isinstance(decision, Undo)
    assert decision.ending.failure is not None
    assert (decision.ending.failure.step, decision.ending.failure.code) == (step, code)


def test_a_release_has_time_to_be_explained() -> None:
    assert decide(TRIP.booking, row(Mark.BEGUN, {HOTEL: RELEASED}), SOON) is None


def test_a_trip_that_is_confirmed_decides_nothing_more() -> None:
    late = all_of(CONFIRMED, hotel=(*CONFIRMED, Standing.RELEASED))
    assert decide(TRIP.booking, row(Mark.CAPTURES, late), LATE) is None
    assert isinstance(decide(TRIP.booking, row(Mark.CAPTURES, late | {TOUR: HELD}), LATE), Undo)


def test_a_step_that_was_settled_by_hand_fails_no_trip() -> None:
    told = all_of(CONFIRMED, tour=EXPIRED, points=HELD)
    assert isinstance(decide(TRIP.booking, row(Mark.CAPTURES, told), SOON), Undo)
    settled = row(Mark.CAPTURES, told, TOUR)
    assert decide(TRIP.booking, settled, SOON) is None
    assert unsettled(TRIP.booking, settled) == [POINTS]


def test_what_was_settled_before_the_last_decision_is_open_again() -> None:
    settled = row(Mark.UNDONE, all_of(RELEASED, tour=HELD), TOUR)
    assert unsettled(TRIP.booking, settled) == []
    later = settled.facts.model_copy(update={"decided_at": SOON + timedelta(seconds=1)})
    assert unsettled(TRIP.booking, settled._replace(facts=later)) == [TOUR]


def test_what_trips_says_of_a_row() -> None:
    held, paid = all_of(HELD), all_of(HELD, payment=CONFIRMED)
    assert says(TRIP.booking, row(Mark.BEGUN, {})) is Requested
    assert says(TRIP.booking, row(Mark.CAPTURES, held)) is Bought
    assert says(TRIP.booking, row(Mark.CAPTURES, paid)) is Captured
    assert says(TRIP.booking, row(Mark.CAPTURES, held, PAYMENT)) is Captured
    assert says(TRIP.booking, row(Mark.UNDONE, held)) is Withdrawn
    assert [says(TRIP.booking, row(mark, {})) for mark in (None, Mark.BARRED)] == [None, None]


def test_a_step_that_held_is_shown_as_reached() -> None:
    """Even if the holds before it were lost on their way."""
    trip = view(TRIP.booking, row(Mark.UNDONE, {PAYMENT: RELEASED}), LATE, ATTENTION)
    assert [step.status for step in trip.steps] == [
        StepStatus.UNKNOWN,
        StepStatus.UNKNOWN,
        StepStatus.PENDING,
        StepStatus.RELEASED,
    ]
