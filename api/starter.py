"""Hands each accepted trip to its coordinator: at once if the coordinator answers, else later.

Each coordinator has a starter of its own, so that one that is away holds up no trips of the other.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import timedelta

from pydantic import ValidationError

from api.coordination import Begun, Coordinator, CoordinatorAway
from api.shares import Shares
from record import trips
from record.noted import NotedMessage
from record.pool import Pool, RecordAway
from serving.logs import about
from serving.tracing import continued
from trip.order import Coordination
from trip.trip import Booking

log = logging.getLogger(__name__)

STARTS_AT_ONCE = 50
STOP_S = 4.0
LOOK_EVERY_S = 1.0
NOT_CLAIMED = timedelta(0)

Start = asyncio.Task[None]


class Starter:
    """Starts accepted trips. A start may be repeated: a trip starts once.

    A trip is started by the front door that accepted it. A front door that is behind leaves its trips to the
    record, from which all front doors claim what is owed. A new process begins as one that is behind.
    """

    def __init__(
        self, coordination: Coordination, coordinator: Coordinator, pool: Pool, backlog_limit: int
    ) -> None:
        self._coordination = coordination
        self._coordinator = coordinator
        self._pool = pool
        self._backlog_limit = backlog_limit
        # By the last count in the record, and what was taken on and started since.
        self._backlog = Shares(backlog_limit)
        self._starting: set[Start] = set()
        self._claimed: set[Start] = set()
        self._started: list[str] = []  # not marked in the record yet
        self._behind = True
        self._failing = False  # whether the last start failed
        self._left = asyncio.Event()  # set if a trip was left to the record since the last claim
        self._accepting = 0
        self._accepts = 0

    def is_full(self, tenant: str) -> bool:
        """Whether too many trips wait for their start to accept another one of this tenant."""
        return not self._backlog.may_take(tenant)

    async def accept(self, request: trips.Request) -> Booking | trips.KnownKey:
        """Accept a trip, and start it without waiting for that: now, or from the record later.

        Returns its booking, or what the idempotency key stands for if it was seen before. Raises RecordAway.
        """
        leave = self._behind or len(self._starting) >= STARTS_AT_ONCE
        self._accepting += 1
        self._accepts += 1
        self._backlog.take(request.tenant)
        accepted = begun = None

        def begins(booking: Booking) -> NotedMessage | None:
            nonlocal begun
            begun = None if leave else self._coordinator.begins(booking)
            return begun and begun.noted

        try:
            accepted = await trips.accept(self._pool, request, NOT_CLAIMED if leave else trips.LEASE, begins)
        finally:
            self._accepting -= 1
            if not isinstance(accepted, Booking):
                self._backlog.give_back(request.tenant)
        if isinstance(accepted, Booking):
            if leave:
                self._left.set()
            else:
                self._start(accepted, self._starting, begun)
        return accepted

    async def start_if_owed(self, trip_id: str) -> None:
        """Start the trip now if the record owes its start. Raises CoordinatorAway and RecordAway."""
        booking = await trips.owed_booking(self._pool, trip_id)
        if booking is None:
            return
        try:
            readable = Booking.model_validate(booking)
        except ValidationError as error:
            raise CoordinatorAway(
                "not_started", "another version has to start the trip; try again"
            ) from error
        with continued(readable.traceparent):
            await self._coordinator.start(readable)

    @contextlib.asynccontextmanager
    async def draining(self) -> AsyncIterator[None]:
        """While the context is open, start the trips that are owed, those that waited longest first."""
        with contextlib.suppress(RecordAway):
            await self._look()
        tasks = [asyncio.create_task(job) for job in (self._keep_looking(), self._keep_draining())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait([*tasks, *self._starting, *self._claimed], timeout=STOP_S)
            with contextlib.suppress(RecordAway):
                await self._mark()

    def _start(self, booking: Booking, among: set[Start], begun: Begun | None = None) -> None:
        task = asyncio.create_task(self._try_to_start(booking, begun))
        among.add(task)
        task.add_done_callback(among.discard)

    async def _try_to_start(self, booking: Booking, begun: Begun | None) -> None:
        try:
            with continued(booking.traceparent):
                await (begun.tell() if begun else self._coordinator.start(booking))
        except Exception as error:
            self._failing = self._behind = True
            unexpected = not isinstance(error, CoordinatorAway | RecordAway)
            told = about(booking.trip_id)
            log.warning("a trip has yet to start: %s", error, exc_info=unexpected, extra=told)
        else:
            self._failing = False
            self._started.append(booking.trip_id)
            self._backlog.give_back(booking.tenant)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self._mark()
                await self._look()
            except Exception as error:
                unexpected = not isinstance(error, RecordAway)
                log.warning("the backlog is not looked at: %s", error, exc_info=unexpected)

    async def _mark(self) -> None:
        """Tell the record of the starts, before the leases of their trips end."""
        started = self._started[:]
        if started:
            await trips.mark_started(self._pool, started)
            del self._started[: len(started)]

    async def _look(self) -> None:
        """Count what is owed. If trips are accepted meanwhile, nobody knows whether the count has them."""
        accepts = self._accepts
        is_quiet = not self._accepting
        owed = await trips.backlog_by_tenant(self._pool, self._coordination, self._backlog_limit)
        if is_quiet and accepts == self._accepts:
            self._backlog.replace(owed)

    async def _keep_draining(self) -> None:
        while True:
            self._left.clear()
            try:
                await self._drain()
            except Exception as error:
                self._failing = self._behind = True
                unexpected = not isinstance(error, RecordAway)
                log.warning("trips wait for their start: %s", error, exc_info=unexpected)
            if self._failing:
                await asyncio.sleep(LOOK_EVERY_S)
            elif not self._behind:
                await self._something_left()

    async def _drain(self) -> None:
        """Claim a batch and start it, or one trip if the last start failed.

        The next batch may be claimed when half of the places are free: a slow start holds up few others. If
        nothing was left to claim, the starter is no longer behind.
        """
        places = 1 if self._failing else STARTS_AT_ONCE - len(self._claimed)
        owed = await trips.claim(self._pool, self._coordination, places)
        self._behind = self._failing or bool(owed)
        for row in owed:
            try:
                self._start(Booking.model_validate(row["booking"]), self._claimed)
            except ValidationError as error:
                told = about(row["trip_id"])
                log.error("a booking cannot be read: %s", error, extra=told)  # noqa: TRY400
        while len(self._claimed) > (0 if self._failing else STARTS_AT_ONCE // 2):
            await asyncio.wait(self._claimed, return_when=asyncio.FIRST_COMPLETED)

    async def _something_left(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._left.wait()
