"""Which attempt of its call an activity is, and how the activity tells Temporal that the attempt failed.

An attempt that the guard refuses sends nothing and does not count. Temporal's server counts it all the same,
and counts from one again after `temporal activity reset`. So each attempt hands its own count to the next
attempt, in its heartbeat details.
"""

from datetime import datetime, timedelta

from pydantic import BaseModel
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from guard.guard import Attempt, Reason, Refusal
from trip.attempts import AttemptOutcome
from trip.partner import PARTNER_UNAVAILABLE, CallError

EXPECTED = ApplicationErrorCategory.BENIGN
"""A partner that fails is expected. The history shows it, and it is no error of the worker."""


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
    """What one attempt hands to the next. `has_waited`: an open breaker refused it.

    `made` counts the activity's attempts that were sent until then, and `by_server` all as the server does.
    """

    made: int = 0
    by_server: int = 0
    has_waited: bool = False


def current_attempt(made: int = 0, *, past_breaker: bool = False) -> Attempt:
    """The attempt of the running activity, after `made` attempts of the same call by another activity.

    `past_breaker` is granted to the activity's first attempt alone.
    """
    info, carried = activity.info(), _carried()
    return Attempt(
        number=made + carried.made + _attempts_since(carried),
        has_waited=carried.has_waited,
        past_breaker=past_breaker and info.attempt == 1,
    )


def under_way_s(asked_at: datetime | None) -> float:
    """Seconds from the moment when the workflow asked for this call to the start of this attempt.

    All attempts and waits are included, also those of a local activity before, which was asked for at
    `asked_at`. Temporal's clock tells both moments, so the worker's may be wrong.
    """
    info = activity.info()
    if info.is_local:  # the first attempt, whose times are the worker's own
        return 0.0
    return (info.started_time - (asked_at or info.scheduled_time)).total_seconds()


def unavailable(message: str, attempts: int, retry_in_s: float = 0) -> CallError:
    """The partner gave no answer, and what it was sent may or may not have taken effect."""
    return CallError(
        code=PARTNER_UNAVAILABLE, message=message, attempts=attempts, final=False, retry_in_s=retry_in_s
    )


def gives_up(error: CallError, outcome: AttemptOutcome) -> AttemptFailed:
    """The failure that ends the activity."""
    return AttemptFailed(error.model_copy(update={"retry_in_s": 0}), outcome)


def tries_again(error: CallError) -> AttemptFailed:
    """The failure of an attempt that was sent. The next attempt follows after the error's `retry_in_s`."""
    _carry(sent=True)
    return AttemptFailed(error, AttemptOutcome.UNANSWERED)


def puts_off(refusal: Refusal, attempts: int) -> AttemptFailed:
    """The failure of an attempt that the guard refused. The next one follows when the guard says."""
    has_waited = refusal.reason is Reason.BREAKER_OPEN
    _carry(sent=False, has_waited=has_waited)
    outcome = AttemptOutcome.KEPT_OUT if has_waited else AttemptOutcome.PUT_OFF
    return AttemptFailed(unavailable(refusal.reason.value, attempts, refusal.retry_in_s), outcome)


def not_locally(error: CallError) -> ApplicationError:
    """The failure of a local activity that sends nothing: the call is one for an ordinary activity."""
    return ApplicationError(error.message, error, type=error.code, category=EXPECTED)


def _carried() -> Carried:
    details = activity.info().heartbeat_details
    return Carried.model_validate(details[0]) if details else Carried()


def _attempts_since(carried: Carried) -> int:
    """This attempt, and those before it that were lost with their worker and carried nothing."""
    return max(1, activity.info().attempt - carried.by_server)


def _carry(*, sent: bool, has_waited: bool = False) -> None:
    info = activity.info()
    if info.is_local:  # a local activity has no further attempt
        return
    before = _carried()
    made = before.made + _attempts_since(before) - (not sent)
    activity.heartbeat(Carried(made=made, by_server=info.attempt, has_waited=has_waited))
