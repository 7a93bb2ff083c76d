"""Places for those who waited: in order, as far apart as new callers come, at once for whoever is alone."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.pacing import MIN_PER_S, WINDOW_S, Pace

events = st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=200)


def fed(per_s: int, seconds: float) -> Pace:
    """One that new callers came to at a steady rate until `seconds`."""
    pace = Pace()
    for number in range(int(per_s * seconds)):
        pace.record_new(number / per_s)
    return pace


def gap(pace: Pace, now: float) -> float:
    first, second = pace.place_in(now), pace.place_in(now)
    return second - first


def test_whoever_waited_alone_comes_back_at_once() -> None:
    assert Pace().place_in(0.0) == 0
    pace = fed(per_s=50, seconds=60)
    assert pace.place_in(60.0) == 0
    assert pace.place_in(61.0) == 0


@given(events)
def test_places_are_in_order_and_never_closer_than_new_callers_were(events: list[tuple[float, bool]]) -> None:
    pace, now, places = Pace(), 0.0, []
    for pause, waited in events:
        now += pause
        if waited:
            wait = pace.place_in(now)
            assert wait >= 0
            places.append(now + wait)
        else:
            pace.record_new(now)
    new = sum(not waited for _, waited in events)
    closest = 1 / max(MIN_PER_S, new / WINDOW_S)
    assert all(later - earlier >= closest * 0.999 for earlier, later in pairwise(places))


@given(st.integers(2, 100))
def test_as_many_come_back_a_second_as_come_anew(per_s: int) -> None:
    seconds = 5 * WINDOW_S
    assert gap(fed(per_s, seconds), seconds) == pytest.approx(1 / per_s, rel=0.02)


def test_where_nobody_new_comes_those_who_waited_come_one_a_second() -> None:
    assert gap(Pace(), 0.0) == 1 / MIN_PER_S
    assert gap(fed(per_s=50, seconds=60), 60 + 10 * WINDOW_S) == 1 / MIN_PER_S


def test_a_clock_that_steps_back_counts_as_one_that_stands_still() -> None:
    pace = fed(per_s=10, seconds=60)
    pace.record_new(0.0)
    assert gap(pace, 0.0) == pytest.approx(gap(fed(per_s=10, seconds=60), 59.9), rel=0.02)
