"""Lost runs that go on, cancels, resets, what ends a trip at its beginning, and a broken fence."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.workflows.behaviours import BEHAVIOURS
from tests.workflows.machine import LATE
from tests.workflows.mishaps import WAYS, cancels, found, found_after_reset, losses, stale_runs
from tests.workflows.search import BOOKING, Mishap, carried_out, faults, reset
from tests.workflows.world import Row
from trip.fence import Ending, Mark, Standing, deadline_exceeded
from trip.partner import PARTNER_UNAVAILABLE, ReservationStatus
from trip.trip import StepStatus, Trip, TripStatus, new_trip
from workflows.fence import Fence, Undo
from workflows.progress import Progress


@pytest.mark.search
@pytest.mark.parametrize(("name", "away"), WAYS)
def test_a_lost_run_that_goes_on_half_books_no_trip(name: str, away: int) -> None:
    assert list(found(name, away, stale_runs)) == []


@pytest.mark.search
@pytest.mark.parametrize(("name", "away"), WAYS)
def test_a_trip_that_temporal_cancels_is_not_half_booked(name: str, away: int) -> None:
    assert list(found(name, away, cancels)) == []


@pytest.mark.search
@pytest.mark.parametrize(("name", "away"), WAYS)
def test_a_reset_leaves_no_trip_half_booked(name: str, away: int) -> None:
    assert found_after_reset(name, away) == []


def test_a_reset_run_releases_what_the_record_never_heard_of() -> None:
    """The run before it booked everything while the record was away, and the deadline is over."""
    ended = carried_out(BEHAVIOURS["well"], Mishap())
    world = ended.server.world
    world.row = Row(trip=new_trip(BOOKING))
    again = reset(ended, 0, LATE)
    assert again.result.status is TripStatus.FAILED
    assert set(world.reservations.values()) == {ReservationStatus.RELEASED}


def test_no_hold_is_captured_over_that_would_expire_before_it_is_confirmed() -> None:
    ended = carried_out(BEHAVIOURS["expires before the capture"], Mishap())
    assert ended.result.status is TripStatus.FAILED
    assert ended.result.failure is not None
    assert (ended.result.failure.step, ended.result.failure.code) == ("tour", "expired")
    assert "confirm_payment" not in ended.server.world.calls


@pytest.mark.parametrize("lost_after", [None, 0, 1, 2, 3])
def test_a_trip_that_an_open_breaker_barred_fails_for_it_though_the_task_is_lost(
    lost_after: int | None,
) -> None:
    """The next run finds the breaker closed again. It ends the trip for the reason that stands in the row."""
    ended = carried_out(BEHAVIOURS["well"], Mishap(lost_after), kept_out=1)
    assert list(faults(ended)) == []
    assert (ended.result.status, ended.result.failure and ended.result.failure.code) == (
        TripStatus.FAILED,
        PARTNER_UNAVAILABLE,
    )
    assert ended.server.world.reservations == {}


@pytest.mark.parametrize("lost_after", [None, 0, 1, 2, 3])
def test_a_trip_that_begins_after_its_deadline_fails_for_it_and_sends_nothing(lost_after: int | None) -> None:
    ended = carried_out(BEHAVIOURS["well"], Mishap(lost_after), is_late=True)
    assert list(faults(ended)) == []
    assert ended.result.failure == deadline_exceeded(ended.result.steps[0].name)
    assert ended.server.world.reservations == {}


async def _undo_unasked(fence: Fence, ending: Ending, *, after_capture: bool = False) -> Undo:
    return Undo(ending, fence._order.partners())


def _save_anything(row: Row, trip: Trip, version: int) -> None:
    row.trip, row.status, row.version = trip, trip.status, version


_asked = Fence.undo


async def _cover_what_is_remembered(
    fence: Fence, ending: Ending, *, after_capture: bool = False
) -> Undo | None:
    undo = await _asked(fence, ending, after_capture=after_capture)
    sent = [step.name for step in fence._progress.trip.steps if step.status is not StepStatus.PENDING]
    return undo and Undo(undo.ending, sent)


BROKEN: dict[str, tuple[type, str, Callable[..., Any], str]] = {
    "no mark": (Row, "begin", lambda _row, _too_late: Standing(mark=Mark.BEGUN), "well"),
    "no bar": (Fence, "undo", _undo_unasked, "well"),
    "the capture is not decided": (Row, "capture", lambda _row, _decision: True, "well"),
    "versions are ignored": (Row, "save", _save_anything, "a release is stuck"),
    "the take-over is ignored": (Progress, "take_over", lambda _progress, _trip: None, "well"),
    "the release does not cover all": (Fence, "undo", _cover_what_is_remembered, "well"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_fence_is_found(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    place, part, instead, behaviour = BROKEN[name]
    monkeypatch.setattr(place, part, instead)
    assert next(found(behaviour, 0, losses, stale_runs), None) is not None
