"""How long to wait before a call is tried again. Pure: randomness and time come in as arguments.

The first attempt counts as 0. With `bound = min(cap, base * 2**attempt)` the delays are

    none          bound
    full          random(0, bound)
    equal         bound/2 + random(0, bound/2)
    decorrelated  min(cap, random(base, previous * 3)); previous is base at first

The first three are those of S. Oda, "Fault-tolerant design in distributed systems" (2023); the fourth is
M. Brooker's, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015). docs/backoff.md compares them.
"""

import random
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

# Temporal reads a retry delay of zero as "not given".
MIN_DELAY_S = 0.001
MAX_CAP_S = 86_400.0
MAX_RETRY_AFTER_S = 300.0

# Doubling the smallest base this often passes the largest cap, long before a float overflows.
_MAX_DOUBLINGS = 64
_REPLAY_BLOCK = 64
_DELTA_SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)

Uniform = Callable[[float, float], float]
"""Draws a number between two others, like `random.uniform`."""

Seconds = Annotated[float, Field(ge=MIN_DELAY_S, le=MAX_CAP_S, allow_inf_nan=False)]


class Jitter(StrEnum):
    """Which part of a delay is left to chance."""

    NONE = "none"
    FULL = "full"
    EQUAL = "equal"
    DECORRELATED = "decorrelated"


class BackoffPolicy(BaseModel):
    """Delays from `base_s` to `cap_s` seconds, for `attempts` attempts, the first included."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_s: Seconds = 1.0
    cap_s: Seconds = 30.0
    attempts: Annotated[int, Field(ge=1)] = 5
    jitter: Jitter = Jitter.FULL

    @model_validator(mode="after")
    def _cap_is_not_below_base(self) -> Self:
        if self.cap_s < self.base_s:
            raise ValueError(f"cap_s {self.cap_s} must not be below base_s {self.base_s}; raise it")
        return self


def bound(policy: BackoffPolicy, attempt: int) -> float:
    """The exponential bound in seconds. Raises ValueError if `attempt` is below 0."""
    if attempt < 0:
        raise ValueError(f"attempt must be 0 or more, not {attempt}")
    return float(min(policy.cap_s, policy.base_s * 2 ** min(attempt, _MAX_DOUBLINGS)))


def _none(_policy: BackoffPolicy, top_s: float, _uniform: Uniform, _previous_s: float) -> float:
    return top_s


def _full(_policy: BackoffPolicy, top_s: float, uniform: Uniform, _previous_s: float) -> float:
    return uniform(0, top_s)


def _equal(_policy: BackoffPolicy, top_s: float, uniform: Uniform, _previous_s: float) -> float:
    return top_s / 2 + uniform(0, top_s / 2)


def _decorrelated(policy: BackoffPolicy, _top_s: float, uniform: Uniform, previous_s: float) -> float:
    return min(policy.cap_s, uniform(policy.base_s, previous_s * 3))


_DELAY = {Jitter.NONE: _none, Jitter.FULL: _full, Jitter.EQUAL: _equal, Jitter.DECORRELATED: _decorrelated}


def next_delay(
    policy: BackoffPolicy,
    attempt: int,
    uniform: Uniform,
    *,
    previous_s: float | None = None,
    retry_after_s: float | None = None,
) -> float:
    """Seconds to wait after the failed `attempt`, at least MIN_DELAY_S. The first attempt is 0.

    `previous_s` is the delay before this one, None at first. Only decorrelated jitter reads it.
    `retry_after_s` is a floor, honoured above the cap too, up to MAX_RETRY_AFTER_S. The delay is added to
    the floor. Otherwise all callers that were told the same moment would come back at that moment.
    Raises ValueError if `attempt` is below 0.
    """
    previous = policy.base_s if previous_s is None else max(policy.base_s, previous_s)
    delay = _DELAY[policy.jitter](policy, bound(policy, attempt), uniform, previous)
    floor = min(MAX_RETRY_AFTER_S, max(0.0, retry_after_s or 0.0))
    return floor + max(MIN_DELAY_S, delay)


def keyed_delay(
    policy: BackoffPolicy, attempt: int, key: str, *, retry_after_s: float | None = None
) -> float:
    """`next_delay` for a caller that knows its attempt, but not its earlier delays. `key` names its call.

    A generator seeded with the key draws all delays of a call. So the earlier delays, on which decorrelated
    jitter builds, can be drawn again. The same key and attempt give the same delay in every process, and
    different keys draw independently.

    To bound the work, each block of 64 attempts has a generator of its own. If a block is not the first, its
    generator draws 64 delays first, which stand for the block before it.
    """
    block = max(0, attempt) // _REPLAY_BLOCK
    uniform = random.Random(f"{key}/{block}").uniform
    previous = None
    for earlier in range(max(0, block - 1) * _REPLAY_BLOCK, attempt):
        previous = next_delay(policy, earlier, uniform, previous_s=previous)
    return next_delay(policy, attempt, uniform, previous_s=previous, retry_after_s=retry_after_s)


def parse_retry_after(value: str | None, date: str | None, now: datetime) -> float | None:
    """Seconds that a `Retry-After` header (RFC 9110, section 10.2.3) asks for, at most MAX_RETRY_AFTER_S.

    The header holds seconds (a decimal fraction is tolerated) or an HTTP date. Such a date is by the
    partner's clock, so it is compared with `date`, the answer's own `Date` header. `now` is for answers
    without one.
    None if the header is missing, unreadable, or names a moment that has passed.
    """
    text = (value or "").strip()
    if _DELTA_SECONDS.fullmatch(text):
        return min(float(text), MAX_RETRY_AFTER_S)
    moment = _moment(text)
    if moment is None:
        return None
    seconds = (moment - (_moment(date or "") or now)).total_seconds()
    return None if seconds < 0 else min(seconds, MAX_RETRY_AFTER_S)


def _moment(http_date: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(http_date)
        # HTTP dates are in UTC, even in the obsolete form that does not say so.
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
