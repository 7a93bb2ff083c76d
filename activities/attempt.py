"""Which attempt this is, and what the next one is told.

An attempt that is put off, by an open breaker, a spent retry budget or others who waited before it, sends
nothing and does not count. The server counts all the same, and so what it counted too much is carried from
one to the next.
"""

import math
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from guard.backoff import MIN_DELAY_S
from trip.attempts import AttemptOutcome
from trip.partner import PARTNER_UNAVAILABLE, CallError

EXPECTED = ApplicationErrorCategory.BENIGN
"""A partner that fails is what this is built for: it is in the history, and no error of the worker's."""

SHORTEST_PUT_OFF_S = 0.1
LONGEST_PUT_OFF_S = 15.0
"""A breaker may close ahead of its time, and who waits for it should learn of it."""

BREAKER_OPEN = "the partner's breaker is open"
BUDGET_SPENT = "the partner's retry budget is spent"
WAITED_BEFORE = "others have waited for the partner before"


class AttemptFailed(ApplicationError):
    """Temporal's failure of one attempt. If the CallError's `retry_in_s` is 0, no other attempt follows."""

    def __init__(self, error: CallError, outcome: AttemptOutcome) -> None:
        super().__init__(
            error.message,
            error,
            type=error.code,
            non_retryable=not error.retry_in_s,
            next_retry_delay=timedelta(seconds=error.retry_in_s) if error.retry_in_s else None,
            category=EXPECTED,
        )
        self.error = error
        self.outcome = outcome


class Carried(BaseModel):
    """What one attempt leaves for the next, in the activity's heartbeat details."""

    put_offs: int = 0
    waiting_since: datetime | None = None


@dataclass(frozen=True)
class Attempt:
    """`number` counts from 1 and leaves out what was put off; `is_first` is true once an activity."""

    number: int
    is_first: bool
    carried: Carried

    @property
    def has_waited(self) -> bool:
        """Whether the last attempt was put off by an open breaker."""
        return self.carried.waiting_since is not None


def current_attempt(made: int = 0) -> Attempt:
    """The attempt of the activity that is running, after `made` others of the same call."""
    info = activity.info()
    details = info.heartbeat_details
    carried = Carried.model_validate(details[0]) if details else Carried()
    number = made + info.attempt - carried.put_offs
    return Attempt(number=number, is_first=info.attempt == 1, carried=carried)


def under_way_s() -> float:
    """How long ago the workflow asked for this call, all its attempts and put-offs included."""
    return (datetime.now(UTC) - activity.info().scheduled_time).total_seconds()


def gives_up(error: CallError, outcome: AttemptOutcome) -> AttemptFailed:
    """The failure that ends the activity."""
    return AttemptFailed(error, outcome)


def tries_again(error: CallError, attempt: Attempt, delay_s: float) -> AttemptFailed:
    """The failure of one attempt; the next follows after `delay_s` seconds."""
    carried = Carried(put_offs=attempt.carried.put_offs)
    return _not_done(error, AttemptOutcome.UNANSWERED, delay_s, carried)


def waits_for_breaker(
    error: CallError, attempt: Attempt, retry_in_s: float, at_most_s: float = math.inf
) -> AttemptFailed:
    """Put off until the breaker may let a call in, spread so that not all who wait come at once.

    `at_most_s` is when the waiting itself is to be looked at again.
    """
    longest = max(min(retry_in_s, LONGEST_PUT_OFF_S), SHORTEST_PUT_OFF_S)
    since = attempt.carried.waiting_since or datetime.now(UTC)
    carried = Carried(put_offs=attempt.carried.put_offs + 1, waiting_since=since)
    delay_s = min(random.uniform(longest, 1.5 * longest), max(at_most_s, SHORTEST_PUT_OFF_S))
    return _not_done(error, AttemptOutcome.KEPT_OUT, delay_s, carried)


def waits(error: CallError, attempt: Attempt, delay_s: float) -> AttemptFailed:
    """Put off by `delay_s` seconds: until the retry budget may have room, or this call's place comes."""
    carried = Carried(put_offs=attempt.carried.put_offs + 1)
    return _not_done(error, AttemptOutcome.PUT_OFF, delay_s, carried)


def not_locally(error: CallError) -> ApplicationError:
    """The failure of a local activity that sends nothing: the call is one for an ordinary activity."""
    return ApplicationError(error.message, error, type=error.code, category=EXPECTED)


def unavailable(message: str, attempts: int) -> CallError:
    """The partner gave no answer, and what it was sent may or may not have taken effect."""
    return CallError(code=PARTNER_UNAVAILABLE, message=message, attempts=attempts, final=False)


def _not_done(error: CallError, outcome: AttemptOutcome, delay_s: float, carried: Carried) -> AttemptFailed:
    if not activity.info().is_local:  # which has no further attempt
        activity.heartbeat(carried)
    retry_in_s = max(delay_s, MIN_DELAY_S)
    return AttemptFailed(error.model_copy(update={"retry_in_s": retry_in_s}), outcome)
