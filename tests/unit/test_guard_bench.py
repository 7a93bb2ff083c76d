"""The arithmetic with which the guard's measurements are judged."""

import random

import pytest

from guard.backoff import BackoffPolicy, Jitter, next_delay
from trials.bench.guard.figures import between, busiest, delays, fit

SEED = 3


def drawn(asked: BackoffPolicy, calls: int) -> list[list[float]]:
    uniform = random.Random(SEED).uniform
    return [[next_delay(asked, attempt, uniform) for attempt in range(4)] for _ in range(calls)]


@pytest.mark.parametrize("jitter", [Jitter.FULL, Jitter.EQUAL])
def test_delays_fit_the_jitter_that_drew_them_and_not_the_other(jitter: Jitter) -> None:
    policies = {one: BackoffPolicy(base_s=2, cap_s=8, jitter=one) for one in (Jitter.FULL, Jitter.EQUAL)}
    measured = drawn(policies.pop(jitter), calls=50)
    (other,) = policies.values()
    assert fit(BackoffPolicy(base_s=2, cap_s=8, jitter=jitter), measured).p > 0.01
    assert fit(other, measured).p < 0.01


def test_delays_under_another_base_do_not_fit() -> None:
    measured = drawn(BackoffPolicy(base_s=1.4, cap_s=5.6, jitter=Jitter.FULL), calls=50)
    assert fit(BackoffPolicy(base_s=2, cap_s=8, jitter=Jitter.FULL), measured).p < 0.01


def test_the_busiest_stretch_may_begin_anywhere() -> None:
    at = [0.0, 0.09, 0.11, 0.18, 0.5, 0.51]
    assert busiest(at, 0, 1, 0.1) == 3
    assert busiest(at, 0.4, 1, 0.1) == 2
    assert busiest([], 0, 1, 0.1) == 0


def test_a_delay_is_counted_from_one_call_to_the_next() -> None:
    assert delays([1.0, 1.5, 4.5]) == [0.5, 3.0]
    assert between([1.0, 1.5, 4.5], 1.0, 4.5) == 2
