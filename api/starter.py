"""Starts the workflow of each accepted trip: at once where Temporal answers, else when it does again."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
from temporalio.client import Client
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from domain.partner import TASK_QUEUE
from domain.trip import Booking
from record import trips
from record.pool import Pool

log = logging.getLogger(__name__)

BOOK_TRIP = "BookTrip"
START_TIMEOUT = timedelta(seconds=5)
TASK_TIMEOUT = timedelta(seconds=5)
"""A worker that dies costs its trips this long, and no more."""

STARTS_AT_ONCE = 50
LOOK_EVERY_S = 1.0
OWED_AFTER_S = 2.0
BATCH = 200

TRIP_TENANT = SearchAttributeKey.for_keyword("TripTenant")


class Starter:
    """Carries trips from the record to Temporal. A start that is repeated starts nothing twice."""

    def __init__(self, client: Client, pool: Pool, backlog_limit: int) -> None:
        self._client = client
        self._pool = pool
        self._backlog_limit = backlog_limit
        self._starting: set[asyncio.Task[None]] = set()
        self._behind = False

    async def is_full(self) -> bool:
        """Whether so many trips wait for Temporal that another one must not be accepted."""
        if not self._behind:
            return False
        return await trips.backlog_size(self._pool, self._backlog_limit) >= self._backlog_limit

    def start_soon(self, booking: Booking) -> None:
        """Start an accepted trip without waiting for it; what cannot be started now is started later."""
        if len(self._starting) >= STARTS_AT_ONCE:
            self._behind = True
            return
        task = asyncio.create_task(self._start_or_leave(booking))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    @contextlib.asynccontextmanager
    async def draining(self) -> AsyncIterator[None]:
        """Start what is owed, oldest first, while the context is open."""
        task = asyncio.create_task(self._keep_draining())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task, *self._starting], timeout=START_TIMEOUT.total_seconds())

    async def _start_or_leave(self, booking: Booking) -> None:
        try:
            await self.start(booking)
        except RPCError as error:
            self._behind = True
            log.warning("trip %s accepted, its start follows: %s", booking.trip_id, error)

    async def start(self, booking: Booking) -> None:
        """Start the trip's workflow, if it is not started yet. Raises RPCError where Temporal is away."""
        attributes = TypedSearchAttributes(
            [
                SearchAttributePair(TRIP_TENANT, booking.tenant),
            ]
        )
        with contextlib.suppress(WorkflowAlreadyStartedError):
            await self._client.start_workflow(
                BOOK_TRIP,
                booking,
                id=booking.trip_id,
                task_queue=TASK_QUEUE,
                task_timeout=TASK_TIMEOUT,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                search_attributes=attributes,
                static_summary=", ".join(booking.order.partners()),
                rpc_timeout=START_TIMEOUT,
            )

    async def _keep_draining(self) -> None:
        while True:
            try:
                started = await self._drain()
                self._behind = started == BATCH
            except (RPCError, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                self._behind = True
                log.warning("trips wait for their start, trying again: %s", error)
                started = 0
            if started < BATCH:
                await asyncio.sleep(LOOK_EVERY_S)

    async def _drain(self) -> int:
        owed = await trips.backlog(self._pool, OWED_AFTER_S, BATCH)
        for row in owed:
            booking = Booking.model_validate(row["booking"])
            await self.start(booking)
            await trips.mark_started(self._pool, booking.trip_id)
        return len(owed)
