"""Starts the workflow of each accepted trip: at once where Temporal answers, else when it does again."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import asyncpg
from pydantic import ValidationError
from temporalio.client import Client
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from record import trips
from record.pool import Pool, RecordAway
from trip.partner import TASK_QUEUE
from trip.trip import Booking

log = logging.getLogger(__name__)

BOOK_TRIP = "BookTrip"
START_TIMEOUT = timedelta(seconds=5)
TASK_TIMEOUT = timedelta(seconds=5)
"""A worker that dies costs its trips this long, and no more."""

STARTS_AT_ONCE = 50
LOOK_EVERY_S = 1.0
OWED_AFTER = timedelta(seconds=2)
"""A start that takes longer is owed, whoever accepted the trip."""

BATCH = 200

TRIP_TENANT = SearchAttributeKey.for_keyword("TripTenant")


class Starter:
    """Carries trips from the record to Temporal. A start that is repeated starts nothing twice.

    While it is behind, trips are started from the record alone, one after another in the order of their
    acceptance, so that none overtakes those that wait. A process that has just started may be behind.
    """

    def __init__(self, client: Client, pool: Pool, backlog_limit: int) -> None:
        self._client = client
        self._pool = pool
        self._backlog_limit = backlog_limit
        self._starting: set[asyncio.Task[None]] = set()
        self._behind = True
        self._accepting = 0
        self._owed = 0  # when the record was last looked at
        self._left = 0  # to the record, since then
        self._wake = asyncio.Event()  # set where something was left since the last pass began

    def is_full(self) -> bool:
        """Whether so many trips wait for their start that another one must not be accepted."""
        waiting = self._owed + self._left + self._accepting + len(self._starting)
        return waiting >= self._backlog_limit

    @contextlib.contextmanager
    def accepting(self) -> Iterator[None]:
        """Keep room for a trip until it is handed to `start_soon`, or turns out not to be a new one."""
        self._accepting += 1
        try:
            yield
        finally:
            self._accepting -= 1

    def start_soon(self, booking: Booking) -> None:
        """Start an accepted trip without waiting for it; what cannot be started now is started later."""
        if self._behind or len(self._starting) >= STARTS_AT_ONCE:
            self._leave()
            return
        task = asyncio.create_task(self._start_or_leave(booking))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    @contextlib.asynccontextmanager
    async def draining(self) -> AsyncIterator[None]:
        """Start what is owed, oldest first, while the context is open."""
        with contextlib.suppress(RecordAway):
            await self._look()
        task = asyncio.create_task(self._keep_draining())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task, *self._starting], timeout=START_TIMEOUT.total_seconds())

    def _leave(self) -> None:
        self._behind = True
        self._left += 1
        self._wake.set()

    async def _start_or_leave(self, booking: Booking) -> None:
        try:
            await self.start(booking)
        except RPCError as error:
            self._leave()
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
                await self._drain()
            except Exception as error:
                self._behind = True
                unexpected = not isinstance(error, RPCError | RecordAway)
                log.warning("trips wait for their start, trying again: %s", error, exc_info=unexpected)
                await asyncio.sleep(LOOK_EVERY_S)
            else:
                await self._something_left()

    async def _something_left(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._wake.wait()

    async def _drain(self) -> None:
        """Start all that is owed; where nothing was left meanwhile, trips are started at once again."""
        if self._behind:
            await self._look()
        self._wake.clear()
        before = datetime.now(UTC) - (timedelta(0) if self._behind else OWED_AFTER)
        after = trips.OLDEST
        while owed := await trips.backlog(self._pool, after, before, BATCH):
            await self._start_all(owed)
            after = owed[-1]["created_at"], owed[-1]["trip_id"]
        self._behind = self._wake.is_set()
        if not self._behind:
            self._owed = self._left = 0

    async def _look(self) -> None:
        """Count what is owed; what is left meanwhile may count twice until the next look."""
        left = self._left
        self._owed = await trips.backlog_size(self._pool, self._backlog_limit)
        self._left -= left

    async def _start_all(self, owed: list[asyncpg.Record]) -> None:
        started = []
        try:
            for row in owed:
                if (booking := _booking(row)) is not None:
                    await self.start(booking)
                    started.append(booking.trip_id)
        finally:
            self._owed = max(0, self._owed - len(started))
            if started:
                await trips.mark_started(self._pool, started)


def _booking(row: asyncpg.Record) -> Booking | None:
    try:
        return Booking.model_validate(row["booking"])
    except ValidationError:
        log.exception("the booking of trip %s cannot be read; it is not started", row["trip_id"])
        return None
