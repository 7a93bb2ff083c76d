"""What the breaker decides, as pure functions: no clock, no I/O and no chance of their own.

The functions of the migration `breakers` decide the same inside the database, where the fleet's one clock
and one lock are; here stand the formulas for reading, for the local breaker, and for the tests that hold
the two together.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Count = Annotated[int, Field(ge=1, le=10_000)]

LONGEST_DOUBLING = 30


class State(StrEnum):
    """Where a breaker stands: closed lets every call in, open none, half open one probe at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Outcome(StrEnum):
    """What a call's answer says about its partner; `ignored` says nothing (the call was cancelled)."""

    SUCCESS = "success"
    SLOW = "slow"
    FAILURE = "failure"
    IGNORED = "ignored"


class BreakerPolicy(BaseModel):
    """When a breaker opens, for how long, and what closes it again. Times are in seconds.

    It opens where at least `min_calls` calls ended within the last `window_s` and at least `failure_rate`
    of them failed or were slower than `slow_call_s`; or where `failures_in_a_row` calls in a row did, which
    finds an outage out before the successes ahead of it have left the window; or after `health_failures` ill
    health checks in a row.
    The first open time is exactly `open_s`, repeated ones grow up to `max_open_factor` times that. Then one
    probe at a time, each with `probe_lease_s` to answer, until `half_open_calls` have succeeded in a row.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window_s: Seconds = 30
    min_calls: Count = 5
    failure_rate: Annotated[float, Field(gt=0, le=1)] = 0.5
    failures_in_a_row: Count = 10
    slow_call_s: Seconds = 5
    open_s: Seconds = 600
    max_open_factor: Annotated[float, Field(ge=2, le=1000)] = 10
    half_open_calls: Count = 1
    probe_lease_s: Seconds = 15
    health_failures: Count = 2


def with_duration(outcome: Outcome, duration_s: float, policy: BreakerPolicy) -> Outcome:
    """`outcome`, or slow where it is a success that took longer than `policy.slow_call_s`."""
    if outcome is Outcome.SUCCESS and duration_s > policy.slow_call_s:
        return Outcome.SLOW
    return outcome


def should_trip(policy: BreakerPolicy, calls: int, failures: int, slow: int, in_a_row: int) -> bool:
    """Whether a window of `calls` ended calls, of which `failures` and (others) `slow`, opens the breaker.

    `in_a_row` counts the failed or slow calls since the last success, also those before the window.
    """
    too_many = calls >= policy.min_calls and failures + slow >= policy.failure_rate * calls
    return too_many or in_a_row >= policy.failures_in_a_row


def next_in_a_row(in_a_row: int, calls: int, failures: int, slow: int) -> int:
    """Failed or slow calls in a row after a batch of `calls` more.

    A batch has no order, so one with a success in it starts again from 0: it may forget failures that came
    after the success, but never counts any from before it.
    """
    return 0 if failures + slow < calls else in_a_row + calls


def next_open_s(policy: BreakerPolicy, opens: int, jitter: float) -> float:
    """Seconds to stay open for the `opens`-th time in a row (1 is the first); `jitter` is drawn from [0, 1).

    The first time is `open_s` as it stands. After that equal jitter over doubling times:
    t = open_s · min(max_open_factor, 2^(opens − 1)), then t/2 + jitter · t/2, so never under `open_s`.
    """
    if opens <= 1:
        return policy.open_s
    longest = policy.open_s * min(policy.max_open_factor, 2.0 ** min(opens - 1, LONGEST_DOUBLING))
    return longest * (1 + jitter) / 2
