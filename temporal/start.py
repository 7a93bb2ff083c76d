"""How a trip's workflow is started: by the front door, and by whoever takes the trip over."""

import hashlib
from datetime import timedelta

from temporalio.client import Client
from temporalio.common import Priority, SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from temporal.attributes import TRIP_PARTNER, TRIP_STATUS, TRIP_TENANT
from trip.partner import TASK_QUEUE
from trip.trip import Booking

BOOK_TRIP = "BookTrip"
START_S = 4.0
"""A start ends before its claim does, with all its retries."""
LONGEST_FAIRNESS_KEY = 64
"""In bytes."""
TASK_TIMEOUT = timedelta(seconds=5)
"""How long the trips of a worker that dies stand still."""


def fairness_key(tenant: str) -> str:
    """What the server shares its tasks out by, so that many trips of one tenant hold up no other tenant's."""
    name = tenant.encode()
    return tenant if len(name) <= LONGEST_FAIRNESS_KEY else hashlib.sha256(name).hexdigest()


async def start_trip(client: Client, booking: Booking) -> bool:
    """Start the trip's workflow. False: it has one, which goes on unchanged. Raises RPCError.

    A trip starts once; only one that is taken over may have had a workflow before. If the namespace lacks a
    search attribute, the trip starts without any, and sets none later.
    """
    try:
        try:
            await _start(client, booking, _attributes(booking))
        except RPCError as error:
            if error.status is not RPCStatusCode.INVALID_ARGUMENT:
                raise
            plain = booking.model_copy(update={"is_searchable": False})
            await _start(client, plain, TypedSearchAttributes.empty)
    except WorkflowAlreadyStartedError:
        return False
    return True


def _attributes(booking: Booking) -> TypedSearchAttributes:
    """The tenant. The other two have no value yet: the server only finds out whether it knows them."""
    unset: list[SearchAttributePair[str]] = [
        SearchAttributePair(key, None)  # type: ignore[arg-type]
        for key in (TRIP_STATUS, TRIP_PARTNER)
    ]
    return TypedSearchAttributes([SearchAttributePair(TRIP_TENANT, booking.tenant), *unset])


async def _start(client: Client, booking: Booking, attributes: TypedSearchAttributes) -> None:
    policy = WorkflowIDReusePolicy
    await client.start_workflow(
        BOOK_TRIP,
        booking,
        id=booking.trip_id,
        task_queue=TASK_QUEUE,
        task_timeout=TASK_TIMEOUT,
        id_reuse_policy=policy.ALLOW_DUPLICATE if booking.takeover else policy.REJECT_DUPLICATE,
        search_attributes=attributes,
        priority=Priority(fairness_key=fairness_key(booking.tenant)),
        static_summary=", ".join(booking.order.partners()),
        rpc_timeout=timedelta(seconds=START_S),
    )
