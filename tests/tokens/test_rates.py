"""The limit on requests: a minute's worth at once, and no more than it allows over any span of time."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.tokens import rates
from api.tokens.rates import Rates

MINUTE_NS = 60_000_000_000

gaps_ns = st.lists(st.integers(0, 2 * MINUTE_NS), max_size=60)


class Clock:
    """A time that stands still."""

    def __init__(self) -> None:
        self.now = 5_000_000_000_000

    def __call__(self) -> int:
        return self.now


@given(per_minute=st.integers(1, 50))
def test_a_minutes_worth_may_come_at_once(per_minute: int) -> None:
    limit = Rates(per_minute, Clock())
    assert [limit.wait_s(b"a") for _ in range(per_minute)] == [0.0] * per_minute
    assert limit.wait_s(b"a") > 0
    assert limit.wait_s(b"b") == 0


@given(per_minute=st.integers(1, 20), gaps=gaps_ns)
def test_over_any_span_no_more_pass_than_a_burst_and_the_rate(per_minute: int, gaps: list[int]) -> None:
    clock = Clock()
    limit = Rates(per_minute, clock)
    passed = []
    for gap in gaps:
        clock.now += gap
        if limit.wait_s(b"a") == 0:
            passed.append(clock.now)
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            span_ns = passed[last] - passed[first]
            # A nanosecond an interval is lost in rounding.
            allowed = per_minute + span_ns / (MINUTE_NS // per_minute)
            assert last - first + 1 <= allowed


@given(per_minute=st.integers(1, 10_000), gaps=gaps_ns)
def test_the_wait_is_long_enough_and_no_longer(per_minute: int, gaps: list[int]) -> None:
    clock = Clock()
    limit = Rates(per_minute, clock)
    for gap in [*gaps, *[0] * 30]:
        clock.now += gap
        while limit.wait_s(b"a") == 0 and per_minute < 30:
            pass
        wait_s = limit.wait_s(b"a")
        if wait_s:
            assert wait_s <= 60
            clock.now += round(wait_s * 1e9) - 1
            assert limit.wait_s(b"a") > 0
            clock.now += 1
            assert limit.wait_s(b"a") == 0


def test_the_rate_is_kept_for_long() -> None:
    clock = Clock()
    limit = Rates(12_000, clock)
    passed = []
    for _ in range(200_001):
        if limit.wait_s(b"a") == 0:
            passed.append(clock.now)
        clock.now += 1_000_000
    # A thousand requests a second for 200 s: the minute's worth, then 200 a second.
    assert len(passed) == 12_000 + 200 * 200
    assert {later - sooner for sooner, later in pairwise(passed[-1000:])} == {5_000_000}


def test_those_that_came_last_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MAX_KEYS", 2)
    limit = Rates(1, Clock())
    for key in (b"a", b"b", b"c"):
        assert limit.wait_s(key) == 0
    assert limit.wait_s(b"c") > 0
    assert limit.wait_s(b"b") > 0
    assert limit.wait_s(b"a") == 0
