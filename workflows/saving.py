"""How a trip's record is written: by a local activity where that is safe, else by an ordinary one."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError, is_cancelled_exception

from workflows.calls import ONCE

with workflow.unsafe.imports_passed_through():
    from trip.trip import Trip, TripStatus

SAVE_TRIP = "save_trip"

_LOCALLY_S = 0.3
_ATTEMPT_S = 6.0
_BRIEFLY_S = 1.0
_MAY_STILL_CHANGE = frozenset({TripStatus.FAILED, TripStatus.CANCELLED})
"""A final status is never overwritten, and a workflow task that is lost runs again, perhaps with other
messages, and may end otherwise. These two are therefore written by an ordinary activity: scheduling it makes
all that led to it durable. `confirmed` is what every partner has answered by then, after the capture was
decided for every run: none can find otherwise."""


async def save_trip(trip: Trip, version: int) -> None:
    """Write the trip's record, however long it takes."""
    if trip.status not in _MAY_STILL_CHANGE and await _saved_locally(trip, version):
        return
    await workflow.execute_activity(
        SAVE_TRIP,
        args=[trip, version],
        summary=trip.status.value,
        start_to_close_timeout=timedelta(seconds=_ATTEMPT_S),
        retry_policy=RetryPolicy(
            initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=5)
        ),
    )


async def save_durably(trip: Trip, version: int) -> bool:
    """Make all that led here durable, by scheduling an ordinary activity; whether it wrote the record."""
    try:
        await workflow.execute_activity(
            SAVE_TRIP,
            args=[trip, version],
            summary=trip.status.value,
            schedule_to_close_timeout=timedelta(seconds=_BRIEFLY_S),
            retry_policy=ONCE,
        )
    except FailureError:
        return False
    return True


async def _saved_locally(trip: Trip, version: int) -> bool:
    try:
        await workflow.execute_local_activity(
            SAVE_TRIP,
            args=[trip, version],
            summary=trip.status.value,
            schedule_to_close_timeout=timedelta(seconds=_LOCALLY_S),
            retry_policy=ONCE,
        )
    except FailureError as error:
        if is_cancelled_exception(error):
            raise
        return False
    return True
