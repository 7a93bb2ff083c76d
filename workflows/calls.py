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
        BreakerCheck,
        BreakerFinding,
        CallError,
        Partner,
        PartnerAnswer,
        PartnerCall,
        Verb,
        activity_name,
    )
    from domain.settings import settings
    from domain.trip import FINAL_STATUSES, Trip

SAVE_TRIP = "save_trip"
CHECK_BREAKER = "check_breaker"

_CHECK_S = 2.0
_UNLIMITED = 0


@dataclass(frozen=True)
class CallPolicy:
    """`attempt_s` limits one attempt; `first_retry_s` and `longest_retry_s` bound the server's own delays.

    The activity names each delay itself and counts its attempts; the server's delays serve where it could
    not, as when its worker was lost.
    """

    attempt_s: float
    first_retry_s: float = settings().retry_base_s
    longest_retry_s: float = max(settings().retry_cap_s, settings().retry_base_s)


CALLS: dict[str, CallPolicy] = {
    "reserve_hotel": CallPolicy(attempt_s=5),
    "reserve_tour": CallPolicy(attempt_s=5),
    "reserve_flight": CallPolicy(attempt_s=5),
    "reserve_points": CallPolicy(attempt_s=5),
    "reserve_payment": CallPolicy(attempt_s=10),
    "confirm_hotel": CallPolicy(attempt_s=5),
    "confirm_tour": CallPolicy(attempt_s=5),
    "confirm_flight": CallPolicy(attempt_s=5),
    "confirm_points": CallPolicy(attempt_s=5),
    "confirm_payment": CallPolicy(attempt_s=10),
    "release_hotel": CallPolicy(attempt_s=5),
    "release_tour": CallPolicy(attempt_s=5),
    "release_flight": CallPolicy(attempt_s=5),
    "release_points": CallPolicy(attempt_s=5),
    "release_payment": CallPolicy(attempt_s=10),
}


class CallFailed(Exception):
    """A call was refused for good, or its attempts are used up."""

    def __init__(self, error: CallError) -> None:
        super().__init__(error.message)
        self.error = error


async def carry_out(verb: Verb, partner: Partner, call: PartnerCall, summary: str) -> PartnerAnswer:
    """Make one call of the trip as an activity, retried as the call's patience says.

    Raises CallFailed, and CancelledError where the awaiting task was cancelled.
    """
    name = activity_name(verb, partner)
    policy = CALLS[name]
    try:
        answer: PartnerAnswer = await workflow.execute_activity(
            name,
            call,
            result_type=PartnerAnswer,
            summary=summary,
            start_to_close_timeout=timedelta(seconds=policy.attempt_s),
            retry_policy=_retry_policy(policy),
            cancellation_type=workflow.ActivityCancellationType.TRY_CANCEL,
        )
    except FailureError as error:
        if is_cancelled_exception(error):
            raise asyncio.CancelledError from error
        raise CallFailed(_reason(error)) from error
    return answer


async def check_breaker(check: BreakerCheck, summary: str) -> Partner | None:
    """The first of the partners whose breaker is open, or None; with `wait`, None once all let calls in."""
    try:
        finding: BreakerFinding = await workflow.execute_activity(
            CHECK_BREAKER,
            check,
            result_type=BreakerFinding,
            summary=summary,
            start_to_close_timeout=timedelta(seconds=_CHECK_S),
            retry_policy=_retry_policy(CallPolicy(_CHECK_S)),
        )
    except FailureError as error:
        if is_cancelled_exception(error):
            raise asyncio.CancelledError from error
        raise
    return finding.open_at


def _retry_policy(policy: CallPolicy) -> RetryPolicy:
    return RetryPolicy(
        initial_interval=timedelta(seconds=policy.first_retry_s),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(seconds=policy.longest_retry_s),
        maximum_attempts=_UNLIMITED,
    )


def _reason(error: FailureError) -> CallError:
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ApplicationError) and cause.details:
        return CallError.model_validate(cause.details[0])
    return CallError(code=PARTNER_UNAVAILABLE, message=str(cause), attempts=1, final=False)


_SAVE_LOCALLY_S = 0.3
_SAVE_ATTEMPT_S = 6.0


async def save_trip(trip: Trip, version: int) -> None:
    """Write the trip's record: from the worker at hand where it can, else as an activity until done.

    A final status is never overwritten, and so it is never written from within a workflow task: the task
    might be rejected, run again with other messages, and end otherwise. Scheduling an activity makes all
    that led to it durable.
    """
    if trip.status not in FINAL_STATUSES and await _saved_at_hand(trip, version):
        return
    await workflow.execute_activity(
        SAVE_TRIP,
        args=[trip, version],
        summary=trip.status.value,
        start_to_close_timeout=timedelta(seconds=_SAVE_ATTEMPT_S),
        retry_policy=RetryPolicy(
            initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=5)
        ),
    )


async def _saved_at_hand(trip: Trip, version: int) -> bool:
    try:
        await workflow.execute_local_activity(
            SAVE_TRIP,
            args=[trip, version],
            summary=trip.status.value,
            schedule_to_close_timeout=timedelta(seconds=_SAVE_LOCALLY_S),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )
    except FailureError:
        return False
    return True
