"""Trips whose workflow was ended from outside or lost: another workflow takes them over.

The trip's row says whether the trip has ended, and Temporal says whether a workflow carries it on. The new
workflow asks the row, as every run does, so it undoes the trip or sees it through. Nothing is taken over
while one of the two is away.
"""

import asyncio
import logging
from collections.abc import Sequence

from pydantic import ValidationError
from temporalio.client import Client, WorkflowFailureError
from temporalio.service import RPCError

from record import trips, unfinished
from record.pool import Pool
from serving.logs import about
from serving.tracing import continued
from temporal.start import start_trip
from temporal.workflows import AT_ONCE, GOES_ON, WorkflowState, described, listed
from trip.trip import FINAL_STATUSES, Booking, Takeover, Trip

log = logging.getLogger(__name__)

PAGE = 200
RESULT_S = 4.0


async def take_over_the_lost(client: Client, pool: Pool, who: str) -> list[str]:
    """Take over every trip that no workflow carries on. Returns their ids. Raises RPCError and RecordAway."""
    taken: list[str] = []
    after = ""
    while trip_ids := await unfinished.started(pool, after, PAGE):
        going_on = await _going_on(client, trip_ids)
        found = await take_over(client, pool, [one for one in trip_ids if one not in going_on], who)
        taken += [trip_id for trip_id, state in found.items() if state not in GOES_ON]
        after = trip_ids[-1]
    return taken


async def take_over(
    client: Client, pool: Pool, trip_ids: Sequence[str], who: str
) -> dict[str, WorkflowState]:
    """Take over those of these trips that have not ended and that no workflow carries on.

    Returns the state in which each trip's workflow was found. A trip that has ended by then is left out.
    Raises RPCError and RecordAway.
    """
    states = await described(client, trip_ids)
    lost = [trip_id for trip_id, state in states.items() if state not in GOES_ON]
    for start in range(0, len(lost), AT_ONCE):
        batch = lost[start : start + AT_ONCE]
        starts = (_start_again(client, pool, trip_id, states[trip_id], who) for trip_id in batch)
        for trip_id, is_started in zip(batch, await asyncio.gather(*starts), strict=True):
            if not is_started:
                del states[trip_id]
    return states


async def _going_on(client: Client, trip_ids: Sequence[str]) -> set[str]:
    """Those that a workflow carries on by Temporal's list, which saves asking for each one."""
    quoted = ", ".join(f"'{trip_id}'" for trip_id in trip_ids)
    query = f"WorkflowId in ({quoted}) and ExecutionStatus = 'Running'"
    return {trip_id async for trip_id, _ in listed(client, query)}


async def _start_again(client: Client, pool: Pool, trip_id: str, state: WorkflowState, who: str) -> bool:
    """Start another workflow, or the first one if the trip's start is still owed.

    False: the trip has ended by now, or somebody else has started one.
    """
    if state is WorkflowState.COMPLETED:
        await _write_result(client, pool, trip_id)
    row = await unfinished.left(pool, trip_id)
    if row is None:
        return False
    try:
        booking = Booking.model_validate(row["booking"])
    except ValidationError as error:
        log.warning(
            "trip %s is not taken over, its booking cannot be read: %s", trip_id, error, extra=about(trip_id)
        )
        return False
    found = state.replace("_", " ")
    if row["has_started"] or state is not WorkflowState.MISSING:
        booking.takeover = Takeover(who=who, found=found, trip=_readable(row["trip"]))
    try:
        with continued(booking.traceparent):
            is_started = await start_trip(client, booking)
    except RPCError as error:  # no reason to leave the others
        log.warning("trip %s cannot be taken over now: %s", trip_id, error, extra=about(trip_id))
        return False
    if is_started:
        log.warning("the workflow of trip %s was %s: taken over", trip_id, found, extra=about(trip_id))
    return is_started


async def _write_result(client: Client, pool: Pool, trip_id: str) -> None:
    """The workflow has ended the trip, and its last writes are lost. The record gets them from its result."""
    handle = client.get_workflow_handle(trip_id, result_type=Trip)
    try:
        async with asyncio.timeout(RESULT_S):
            trip = await handle.result()
    except (RPCError, WorkflowFailureError, ValidationError, TimeoutError) as error:
        log.warning("the result of trip %s cannot be read: %s", trip_id, error, extra=about(trip_id))
        return
    if trip.status in FINAL_STATUSES:
        await trips.save(pool, trip, 0)
        log.warning(
            "trip %s was ended, and is written again as its workflow says", trip_id, extra=about(trip_id)
        )


def _readable(trip: object) -> Trip | None:
    try:
        return Trip.model_validate(trip)
    except ValidationError:
        return None
