"""The backoff policy: bounds, floors, and the shape of what is drawn."""

import math
import random
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from guard.backoff import (
    MAX_CAP_S,
    MAX_RETRY_AFTER_S,
    MIN_DELAY_S,
    BackoffPolicy,
    Jitter,
    bound,
    keyed_delay,
    next_delay,
    parse_retry_after,
)

NOW = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
SIGNIFICANT = 0.01

seconds = st.floats(MIN_DELAY_S, MAX_CAP_S)
attempts = st.integers(0, 10_000)
keys = st.text(max_size=20)


@st.composite
def policies(draw: st.DrawFn, jitter: Jitter | None = None) -> BackoffPolicy:
    base_s, cap_s = sorted((draw(seconds), draw(seconds)))
    chosen = jitter or draw(st.sampled_from(Jitter))
    return BackoffPolicy(base_s=base_s, cap_s=cap_s, jitter=chosen)


def lowest(low: float, _high: float) -> float:
    return low


def highest(_low: float, high: float) -> float:
    return high


def test_defaults_are_the_documented_ones() -> None:
    assert BackoffPolicy() == BackoffPolicy(base_s=1, cap_s=30, attempts=5, jitter=Jitter.FULL)


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_s": 0},
        {"base_s": math.nan},
        {"cap_s": math.inf},
        {"base_s": 2, "cap_s": 1},
        {"attempts": 0},
        {"jitter": "some"},
        {"factor": 3},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        BackoffPolicy.model_validate(wrong)


def test_the_plain_delays_double_up_to_the_cap() -> None:
    policy = BackoffPolicy(jitter=Jitter.NONE)
    assert [next_delay(policy, n, random.uniform) for n in range(7)] == [1, 2, 4, 8, 16, 30, 30]


@given(policies(), attempts)
def test_the_bound_never_falls_and_never_passes_the_cap(policy: BackoffPolicy, attempt: int) -> None:
    assert policy.base_s <= bound(policy, attempt) <= bound(policy, attempt + 1) <= policy.cap_s


@pytest.mark.parametrize("jitter", Jitter)
def test_an_attempt_below_zero_is_refused(jitter: Jitter) -> None:
    with pytest.raises(ValueError, match="attempt"):
        next_delay(BackoffPolicy(jitter=jitter), -1, random.uniform)
    with pytest.raises(ValueError, match="attempt"):
        keyed_delay(BackoffPolicy(jitter=jitter), -1, "trip-1")


@given(policies(), attempts, st.randoms(use_true_random=False), st.none() | seconds)
def test_no_delay_leaves_its_bounds(
    policy: BackoffPolicy, attempt: int, rng: random.Random, previous_s: float | None
) -> None:
    delay = next_delay(policy, attempt, rng.uniform, previous_s=previous_s)
    top = bound(policy, attempt)
    ranges = {
        Jitter.NONE: (top, top),
        Jitter.FULL: (MIN_DELAY_S, max(MIN_DELAY_S, top)),
        Jitter.EQUAL: (top / 2, max(MIN_DELAY_S, top)),
        Jitter.DECORRELATED: (policy.base_s, policy.cap_s),
    }
    low, high = ranges[policy.jitter]
    assert low <= delay <= high * (1 + 1e-12)


@given(policies(Jitter.DECORRELATED), seconds)
def test_decorrelated_jitter_reaches_from_the_base_to_thrice_the_last_delay(
    policy: BackoffPolicy, previous_s: float
) -> None:
    last = max(policy.base_s, previous_s)
    assert next_delay(policy, 3, lowest, previous_s=previous_s) == policy.base_s
    assert next_delay(policy, 3, highest, previous_s=previous_s) == min(policy.cap_s, 3 * last)


def test_a_delay_is_never_so_short_that_the_server_drops_it() -> None:
    assert next_delay(BackoffPolicy(jitter=Jitter.FULL), 0, lowest) == MIN_DELAY_S
    assert timedelta(seconds=MIN_DELAY_S)


@given(policies(), attempts, st.floats(-10, 1e12), keys)
def test_retry_after_is_a_floor_up_to_its_own_limit(
    policy: BackoffPolicy, attempt: int, retry_after_s: float, key: str
) -> None:
    plain = keyed_delay(policy, attempt, key)
    floor = min(MAX_RETRY_AFTER_S, max(0.0, retry_after_s))
    assert keyed_delay(policy, attempt, key, retry_after_s=retry_after_s) == floor + plain


def test_clients_told_the_same_moment_do_not_come_back_in_step() -> None:
    delays = {keyed_delay(BackoffPolicy(), 0, f"trip-{n}", retry_after_s=60) for n in range(100)}
    assert len(delays) == 100
    assert all(60 < delay <= 61 for delay in delays)


@given(policies(), st.integers(0, 200), keys)
def test_a_keyed_delay_is_the_same_in_every_process(policy: BackoffPolicy, attempt: int, key: str) -> None:
    assert keyed_delay(policy, attempt, key) == keyed_delay(policy, attempt, key)


@given(policies(), keys)
def test_keyed_delays_are_those_of_a_caller_that_remembers(policy: BackoffPolicy, key: str) -> None:
    rng = random.Random(f"{key}/0")
    previous_s = None
    for attempt in range(64):
        previous_s = next_delay(policy, attempt, rng.uniform, previous_s=previous_s)
        assert keyed_delay(policy, attempt, key) == previous_s


def test_a_long_decorrelated_walk_goes_on_as_it_was() -> None:
    policy = BackoffPolicy(jitter=Jitter.DECORRELATED)
    before = [keyed_delay(policy, 63, f"trip-{n}") for n in range(2_000)]
    after = [keyed_delay(policy, 66, f"trip-{n}") for n in range(2_000)]
    assert sum(after) == pytest.approx(sum(before), rel=0.1)


def _draws(jitter: Jitter, attempt: int) -> list[float]:
    policy = BackoffPolicy(jitter=jitter)
    return [keyed_delay(policy, attempt, f"trip-{n}") for n in range(2_000)]


@pytest.mark.parametrize("attempt", [0, 3, 9, 70])
def test_full_jitter_is_uniform_below_the_bound(attempt: int) -> None:
    top = bound(BackoffPolicy(), attempt)
    assert scipy.stats.kstest(_draws(Jitter.FULL, attempt), "uniform", (0, top)).pvalue > SIGNIFICANT


@pytest.mark.parametrize("attempt", [0, 3, 9, 70])
def test_equal_jitter_is_uniform_over_the_upper_half(attempt: int) -> None:
    half = bound(BackoffPolicy(), attempt) / 2
    assert scipy.stats.kstest(_draws(Jitter.EQUAL, attempt), "uniform", (half, half)).pvalue > SIGNIFICANT


def test_decorrelated_jitter_starts_uniform_between_base_and_thrice_that() -> None:
    assert scipy.stats.kstest(_draws(Jitter.DECORRELATED, 0), "uniform", (1, 2)).pvalue > SIGNIFICANT


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("1.5", 1.5),
        ("9" * 5_000, MAX_RETRY_AFTER_S),
        ("Mon, 01 Mar 2027 12:00:30 GMT", 30.0),
        ("Mon Mar  1 12:00:30 2027", 30.0),
        ("Mon, 01 Mar 2027 11:59:59 GMT", None),
        ("Fri, 01 Jan 2100 00:00:00 GMT", MAX_RETRY_AFTER_S),
        (None, None),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1e3", None),
        ("nan", None),
        ("٣", None),
        ("soon", None),
        ("Mon, 99 Mar 2027 12:00:30 GMT", None),
        ("Mon, 01 Mar 99999999999 12:00:30 GMT", None),
    ],
)
def test_retry_after_headers(header: str | None, expected: float | None) -> None:
    assert parse_retry_after(header, None, NOW) == expected


@given(st.text() | st.from_regex(r"\A\w{3}, \d+ \w{3} \d+ [\d:]+ \S*\Z"))
def test_no_header_whatever_raises_or_asks_for_too_much(header: str) -> None:
    parsed = parse_retry_after(header, None, NOW)
    assert parsed is None or 0 <= parsed <= MAX_RETRY_AFTER_S


@given(st.integers(0, int(MAX_RETRY_AFTER_S)))
def test_a_date_asks_for_the_seconds_until_then(ahead_s: int) -> None:
    header = format_datetime(NOW + timedelta(seconds=ahead_s), usegmt=True)
    elsewhere = NOW.astimezone(timezone(timedelta(hours=9)))
    assert parse_retry_after(header, None, elsewhere) == ahead_s
    # If the answer says what its partner's clock showed, it does not matter how wrong ours is.
    for wrong in (timedelta(minutes=-6), timedelta(days=1)):
        assert parse_retry_after(header, format_datetime(NOW, usegmt=True), NOW + wrong) == ahead_s
    assert parse_retry_after(header, "no date", NOW) == ahead_s
