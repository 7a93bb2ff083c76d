"""Temporal as the coordinator: a workflow carries each trip, and answers what is asked of the trip."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from datetime import timedelta

from temporalio.client import Client, RPCTimeoutOrCancelledError, WorkflowUpdateFailedError
from temporalio.service import RetryConfig, RPCError

from api.coordination import CoordinatorAway, NotReady
from config.codec import Codec
from config.temporal import client_options
from temporal import attributes, schedules
from temporal.forget import forget
from temporal.pollers import polled
from temporal.start import START_S, start_trip
from trip.trip import Booking, OperatorOrder

ANSWER_S = 10.0
FORGET_S = 30.0


_RETRIES = RetryConfig(max_retries=2)
"""A start that fails is given up soon. It is then made from the record."""


async def lazy_client(codec: Codec | None) -> Client:
    """A client that connects at its first call, so that the front door opens without Temporal."""
    return await Client.connect(**client_options(codec), retry_config=_RETRIES, lazy=True)


class Temporal:
    """Starts the workflow `BookTrip`, and sends it updates."""

    cancels_unstarted = False  # only a workflow that has started can answer

    def __init__(self, client: Client) -> None:
        self._client = client

    def begins(self, _booking: Booking) -> None:
        """A workflow is started once its trip is written."""

    async def start(self, booking: Booking) -> None:
        async with _answered_within(START_S):
            await start_trip(self._client, booking)

    async def cancel(self, trip_id: str) -> bool:
        # Temporal keeps each update for good, and only so many: all cancels of a trip are one update.
        return await self._update(trip_id, "cancel", update_id="cancel")

    async def operate(self, trip_id: str, order: OperatorOrder) -> bool:
        return await self._update(trip_id, "operate", order)

    async def forget(self, trip_ids: Sequence[str]) -> None:
        async with _answered_within(FORGET_S):
            await forget(self._client, trip_ids)

    def checks(self) -> Mapping[str, Awaitable[None]]:
        return {
            "temporal": self._check_server(),
            "worker": self._check_workers(),
            "search_attributes": self._check_attributes(),
            "schedules": self._check_schedules(),
        }

    async def _update(
        self, trip_id: str, update: str, *arguments: object, update_id: str | None = None
    ) -> bool:
        handle = self._client.get_workflow_handle(trip_id)
        limit = timedelta(seconds=ANSWER_S)
        async with _answered_within(ANSWER_S):
            try:
                await handle.execute_update(update, args=arguments, id=update_id, rpc_timeout=limit)
            except WorkflowUpdateFailedError:
                return False
        return True

    async def _check_server(self) -> None:
        await self._client.service_client.check_health()

    async def _check_workers(self) -> None:
        if why := (await polled(self._client)).standing_still():
            raise NotReady(why)

    async def _check_attributes(self) -> None:
        if missing := await attributes.missing(self._client):
            raise NotReady(f"the namespace lacks {', '.join(missing)}")

    async def _check_schedules(self) -> None:
        if missing := await schedules.missing(self._client):
            raise NotReady(f"the namespace has no schedule {', '.join(missing)}")


@contextlib.asynccontextmanager
async def _answered_within(limit_s: float) -> AsyncIterator[None]:
    """Bound a call with its retries and, if it is the first, the making of the connection."""
    try:
        async with asyncio.timeout(limit_s):
            yield
    except (RPCError, RPCTimeoutOrCancelledError, TimeoutError, RuntimeError) as error:
        # RuntimeError: it never connected.
        detail = "no answer from Temporal or a worker; try again"
        raise CoordinatorAway("temporal_unavailable", detail) from error
