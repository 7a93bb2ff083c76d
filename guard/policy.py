"""The breaker's rules as pure functions, without clock, I/O or chance.

The functions in functions.sql decide the same inside the database, which has the one lock and the one clock.
The local breaker uses the rules below, and tests check that both sides decide the same.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Count = Annotated[int, Field(ge=1, le=10_000)]

LONGEST_DOUBLING = 30


class State(StrEnum):
    """A closed breaker lets every call in, an open one none, a half-open one a probe at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Outcome(StrEnum):
    """What a call's answer says about its partner. `ignored` says nothing: the call was cancelled."""

    SUCCESS = "success"
    SLOW = "slow"
    FAILURE = "failure"
    IGNORED = "ignored"


class BreakerPolicy(BaseModel):
    """When a breaker opens, for how long, and what closes it again. Times are in seconds.

    It opens in one of three cases. (1) At least `min_calls` calls ended in the last `window_s`, and at least
    `failure_rate` of them failed or were slower than `slow_call_s`. (2) `failures_in_a_row` calls in a row
    failed or were slow; this finds an outage while older successes are still in the window. (3)
    `health_failures` ill health checks came in a row. A success never opens it, whatever the counts are.
    The first open time is exactly `open_s`. Repeated ones grow, up to `max_open_factor` times that. Then one
    probe goes out at a time, with `probe_lease_s` to answer, until `half_open_calls` in a row have succeeded.
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
    """`outcome`, or SLOW if it is a success that took longer than `policy.slow_call_s`."""
    if outcome is Outcome.SUCCESS and duration_s > policy.slow_call_s:
        return Outcome.SLOW
    return outcome


def should_trip(policy: BreakerPolicy, calls: int, failures: int, slow: int, in_a_row: int) -> bool:
    """Whether a failed or slow call opens the breaker with these counts. No call is both failed and slow.

    `calls`, `failures` and `slow` count the calls that ended in the window. `in_a_row` counts the failed or
    slow calls since the last success, even those from before the window.
    """
    too_many = calls >= policy.min_calls and failures + slow >= policy.failure_rate * calls
    return too_many or in_a_row >= policy.failures_in_a_row


def next_in_a_row(in_a_row: int, calls: int, failures: int, slow: int) -> int:
    """Failed or slow calls in a row after a batch of `calls` more.

    Nobody knows the order within a batch. So a batch with a success in it starts again from 0. Failures that
    came after the success may be forgotten; failures from before it never count.
    """
    return 0 if failures + slow < calls else in_a_row + calls


def next_open_s(policy: BreakerPolicy, opens: int, jitter: float) -> float:
    """Seconds to stay open for the `opens`-th time in a row (1 is the first). `jitter` is from [0, 1).

    The first time is exactly `open_s`. Later times double and have equal jitter: with
    t = open_s · min(max_open_factor, 2^(opens − 1)) they are t/2 + jitter · t/2, never below `open_s`.
    """
    if opens <= 1:
        return policy.open_s
    longest = policy.open_s * min(policy.max_open_factor, 2.0 ** min(opens - 1, LONGEST_DOUBLING))
    return longest * (1 + jitter) / 2
