"""How every call of a trip is carried out: its time limit, its attempts, and the one place that makes it."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from domain.partner import (
        PARTNER_UNAVAILABLE,
        CallError,
        Partner,
        PartnerAnswer,
        PartnerCall,
        Verb,
        activity_name,
    )
    from domain.settings import settings
    from domain.trip import Trip

SAVE_TRIP = "save_trip"

_ATTEMPTS = settings().retry_attempts


@dataclass(frozen=True)
class CallPolicy:
    """`attempt_s` limits one attempt; after `attempts` of them a hold has failed, any other call is stuck."""

    attempt_s: float
    attempts: int


CALLS: dict[str, CallPolicy] = {
    "reserve_hotel": CallPolicy(attempt_s=5, attempts=_ATTEMPTS),
    "reserve_tour": CallPolicy(attempt_s=5, attempts=_ATTEMPTS),
    "reserve_flight": CallPolicy(attempt_s=5, attempts=_ATTEMPTS),
    "reserve_points": CallPolicy(attempt_s=5, attempts=_ATTEMPTS),
    "reserve_payment": CallPolicy(attempt_s=10, attempts=_ATTEMPTS),
    "confirm_hotel": CallPolicy(attempt_s=5, attempts=_ATTEMPTS),
    "confirm_tour": CallPolicy(attempt_s=5, attempts=_ATTEMPTS),
    "confirm_flight": CallPolicy(attempt_s=5, attempts=_ATTEMPTS),
    "confirm_points": CallPolicy(attempt_s=5, attempts=_ATTEMPTS),
    "confirm_payment": CallPolicy(attempt_s=10, attempts=_ATTEMPTS),
    "release_hotel": CallPolicy(attempt_s=5, attempts=_ATTEMPTS),
    "release_tour": CallPolicy(attempt_s=5, attempts=_ATTEMPTS),
    "release_flight": CallPolicy(attempt_s=5, attempts=_ATTEMPTS),
    "release_points": CallPolicy(attempt_s=5, attempts=_ATTEMPTS),
    "release_payment": CallPolicy(attempt_s=10, attempts=_ATTEMPTS),
}

UNLIMITED = 0


class CallFailed(Exception):
    """A call was refused for good, or its attempts are used up."""

    def __init__(self, error: CallError) -> None:
        super().__init__(error.message)
        self.error = error


async def carry_out(
    verb: Verb, partner: Partner, call: PartnerCall, *, summary: str, endless: bool = False
) -> PartnerAnswer:
    """Make one call of the trip as an activity, retried by the server.

    With `endless` it is retried until it gets through, which costs the history nothing.
    Raises CallFailed, and CancelledError where the awaiting task was cancelled.
    """
    name = activity_name(verb, partner)
    policy = CALLS[name]
    attempts = UNLIMITED if endless else policy.attempts
    try:
        answer: PartnerAnswer = await workflow.execute_activity(
            name,
            call,
            result_type=PartnerAnswer,
            summary=summary,
            start_to_close_timeout=timedelta(seconds=policy.attempt_s),
            retry_policy=_retry_policy(attempts),
            cancellation_type=workflow.ActivityCancellationType.TRY_CANCEL,
        )
    except FailureError as error:
        if is_cancelled_exception(error):
            raise asyncio.CancelledError from error
        raise CallFailed(_reason(error, policy)) from error
    return answer


def _retry_policy(attempts: int) -> RetryPolicy:
    # The activity names each delay itself; these serve where it could not, as when its worker was lost.
    return RetryPolicy(
        initial_interval=timedelta(seconds=settings().retry_base_s),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(seconds=max(settings().retry_cap_s, settings().retry_base_s)),
        maximum_attempts=attempts,
    )


def _reason(error: FailureError, policy: CallPolicy) -> CallError:
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ApplicationError) and cause.details:
        return CallError.model_validate(cause.details[0])
    return CallError(
        code=PARTNER_UNAVAILABLE,
        message=f"no answer within {policy.attempt_s:g} s",
        attempts=policy.attempts,
        final=False,
    )


_SAVE_LOCALLY_S = 0.3
_SAVE_ATTEMPT_S = 6.0


async def save_trip(trip: Trip, version: int) -> None:
    """Write the trip's record: at once from the worker at hand, else as an activity until it is written."""
    try:
        await workflow.execute_local_activity(
            SAVE_TRIP,
            args=[trip, version],
            summary=trip.status.value,
            schedule_to_close_timeout=timedelta(seconds=_SAVE_LOCALLY_S),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )
    except FailureError:
        await workflow.execute_activity(
            SAVE_TRIP,
            args=[trip, version],
            summary=trip.status.value,
            start_to_close_timeout=timedelta(seconds=_SAVE_ATTEMPT_S),
            retry_policy=RetryPolicy(
                initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=5)
            ),
        )
