"""How every call of a trip is carried out: as a local activity first, then as an ordinary one.

A local activity costs no round trip to the server, and is the worker's own until the workflow task ends: if
the task is lost, it runs again. An ordinary activity is scheduled in the history, retried by the server and
shown as pending.
"""

import asyncio
import contextlib
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from config.settings import settings
    from trip.calls import BreakerCheck, BreakerFinding, PartnerCall
    from trip.fence import Barring, Standing
    from trip.partner import (
        PARTNER_UNAVAILABLE,
        UNDONE,
        CallError,
        Partner,
        PartnerAnswer,
        Patience,
        Verb,
        activity_name,
        declared,
    )

T = TypeVar("T")

CHECK_BREAKER = "check_breaker"
BAR_SENDING = "bar_sending"

_CHECK_S = 2.0
_RECORD_S = 0.5
_REPORTING_S = 0.5
_UNLIMITED = 0
ONCE = RetryPolicy(maximum_attempts=1)


_FIRST_RETRY = timedelta(seconds=settings().retry_base_s)
_LONGEST_RETRY = timedelta(seconds=max(settings().retry_cap_s, settings().retry_base_s))
_RETRIES = RetryPolicy(
    initial_interval=_FIRST_RETRY,
    backoff_coefficient=2.0,
    maximum_interval=_LONGEST_RETRY,
    maximum_attempts=_UNLIMITED,
)
"""The activity names each delay itself and counts its attempts. The server's own delays serve if the activity
could not say any, as when its worker was lost."""


class CallFailed(Exception):
    """A call was refused for good, or its attempts are used up."""

    def __init__(self, error: CallError) -> None:
        super().__init__(error.message)
        self.error = error


class AlreadySettled(Exception):
    """Another run has settled that the trip is undone, or that it is captured."""


class _ToBeRetried(Exception):
    """A local activity did not succeed, and an ordinary one may."""

    def __init__(self, error: CallError) -> None:
        super().__init__(error.message)
        self.error = error


async def carry_out(
    verb: Verb,
    partner: Partner,
    call: PartnerCall,
    summary: str,
    locally: AbstractContextManager[None] | None,
) -> PartnerAnswer:
    """Make one call of the trip, retried as its patience says.

    If `locally` is given, the call is first tried as a local activity inside this context. If it is None, the
    call is scheduled at once, so the history holds it before anything is sent.
    Raises CallFailed, AlreadySettled if another run undoes the trip that is to be captured, and
    CancelledError if the awaiting task was cancelled.
    """
    name, asked_at = activity_name(verb, partner), workflow.now()
    if locally and call.patience is not Patience.ENDLESS and not call.past_breaker:
        try:
            with locally:
                return await _local(name, call, summary)
        except _ToBeRetried as missed:
            call = call.model_copy(update={"made": missed.error.attempts, "asked_at": asked_at})
            delay_s = missed.error.retry_in_s
        if delay_s:
            await workflow.sleep(timedelta(seconds=delay_s), summary=f"{name} again")
    return await _ordinary(name, partner, call, summary)


async def _local(name: str, call: PartnerCall, summary: str) -> PartnerAnswer:
    limit = timedelta(seconds=settings().local_attempt_s + _REPORTING_S)
    try:
        answer: PartnerAnswer = await workflow.execute_local_activity(
            name,
            call,
            result_type=PartnerAnswer,
            summary=summary,
            start_to_close_timeout=limit,
            retry_policy=ONCE,
        )
    except FailureError as error:
        _raise_if_cancelled(error)
        if _is_final(error):
            raise _given_up(error, call) from error
        raise _ToBeRetried(_reason(error, call)) from error
    return answer


async def _ordinary(name: str, partner: Partner, call: PartnerCall, summary: str) -> PartnerAnswer:
    try:
        answer: PartnerAnswer = await workflow.execute_activity(
            name,
            call,
            result_type=PartnerAnswer,
            summary=summary,
            start_to_close_timeout=timedelta(seconds=declared(partner).attempt_s),
            retry_policy=_RETRIES,
            cancellation_type=workflow.ActivityCancellationType.TRY_CANCEL,
        )
    except FailureError as error:
        _raise_if_cancelled(error)
        raise _given_up(error, call) from error
    return answer


async def check_breaker_at_once(check: BreakerCheck, summary: str) -> BreakerFinding | None:
    """Check the breakers locally, and take leave to send holds. None if the record is away."""
    return await _by_the_record(CHECK_BREAKER, check, BreakerFinding, summary)


async def check_breaker(check: BreakerCheck, summary: str) -> BreakerFinding:
    """Find the first partner with an open breaker. With `wait`, answer once all breakers let calls in."""
    try:
        finding: BreakerFinding = await workflow.execute_activity(
            CHECK_BREAKER,
            check,
            result_type=BreakerFinding,
            summary=summary,
            start_to_close_timeout=timedelta(seconds=_CHECK_S),
            retry_policy=_RETRIES,
        )
    except FailureError as error:
        _raise_if_cancelled(error)
        raise
    return finding


async def bar_sending(barring: Barring) -> Standing:
    """Ask the trip's row for leave to undo the trip, however long the record is away."""
    found = await _by_the_record(BAR_SENDING, barring, Standing)
    if found is None:
        found = await workflow.execute_activity(
            BAR_SENDING,
            barring,
            result_type=Standing,
            start_to_close_timeout=timedelta(seconds=_CHECK_S),
            retry_policy=_RETRIES,
        )
    return found


async def _by_the_record(name: str, given: object, answer: type[T], summary: str | None = None) -> T | None:
    """Ask the trip's record by a local activity. None if the record is away."""
    try:
        found: T = await workflow.execute_local_activity(
            name,
            given,
            result_type=answer,
            summary=summary,
            start_to_close_timeout=timedelta(seconds=_RECORD_S),
            retry_policy=ONCE,
        )
    except FailureError as error:
        _raise_if_cancelled(error)
        return None
    return found


def _raise_if_cancelled(error: FailureError) -> None:
    if is_cancelled_exception(error):
        raise asyncio.CancelledError from error


def _cause(error: FailureError) -> BaseException | None:
    return error.cause if isinstance(error, ActivityError) else error


def _is_final(error: FailureError) -> bool:
    cause = _cause(error)
    return isinstance(cause, ApplicationError) and cause.non_retryable


def _given_up(error: FailureError, call: PartnerCall) -> Exception:
    reason = _reason(error, call)
    return AlreadySettled() if reason.code == UNDONE else CallFailed(reason)


def _reason(error: FailureError, call: PartnerCall) -> CallError:
    cause = _cause(error)
    if isinstance(cause, ApplicationError) and cause.details:
        with contextlib.suppress(ValidationError):  # somebody failed the activity by hand
            return CallError.model_validate(cause.details[0])
    return CallError(code=PARTNER_UNAVAILABLE, message=str(cause), attempts=call.made + 1, final=False)
