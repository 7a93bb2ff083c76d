"""How a trip's record is written: by a local activity first, else by an ordinary one."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError, is_cancelled_exception

from workflows.calls import ONCE

with workflow.unsafe.imports_passed_through():
    from trip.trip import Trip

SAVE_TRIP = "save_trip"

_LOCALLY_S = 0.3
_ATTEMPT_S = 6.0
_RETRIES = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=5))


async def save_trip(trip: Trip, version: int, *, locally: bool) -> int | None:
    """Write the trip's record, however long that takes.

    Returns None, or the version that another run has written meanwhile, which is not older: nothing is
    written then.
    """
    if locally:
        try:
            return await _saved_locally(trip, version)
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
    kept: int | None = await workflow.execute_activity(
        SAVE_TRIP,
        args=[trip, version],
        summary=trip.status.value,
        start_to_close_timeout=timedelta(seconds=_ATTEMPT_S),
        retry_policy=_RETRIES,
    )
    return kept


async def _saved_locally(trip: Trip, version: int) -> int | None:
    kept: int | None = await workflow.execute_local_activity(
        SAVE_TRIP,
        args=[trip, version],
        summary=trip.status.value,
        schedule_to_close_timeout=timedelta(seconds=_LOCALLY_S),
        retry_policy=ONCE,
    )
    return kept
