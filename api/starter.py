"""Hands each accepted trip to its coordinator: at once if the coordinator answers, else later."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator

import asyncpg
from pydantic import ValidationError

from api.coordination import Coordinator, CoordinatorAway
from record import trips
from record.pool import Pool, RecordAway
from trip.trip import Booking

log = logging.getLogger(__name__)

STARTS_AT_ONCE = 50
STOP_S = 5.0
LOOK_EVERY_S = 1.0
OWED_AFTER_S = 2.0
"""A start that takes longer is owed: any front door may make it."""

BATCH = 200


class Starter:
    """Starts accepted trips. A start may be repeated: a trip starts once.

    While the starter is behind, it starts trips from the record alone, in the order of their acceptance, so
    that no trip overtakes those that wait. A new process begins as one that is behind.
    """

    def __init__(self, coordinator: Coordinator, pool: Pool, backlog_limit: int) -> None:
        self._coordinator = coordinator
        self._pool = pool
        self._backlog_limit = backlog_limit
        self._starting: set[asyncio.Task[None]] = set()
        self._behind = True
        self._accepting = 0
        self._owed = 0  # trips that the record owed at the last look
        self._left = 0  # trips left to the record since then
        self._wake = asyncio.Event()  # set if a trip was left since the last pass began

    def is_full(self) -> bool:
        """Whether too many trips wait for their start to accept another."""
        waiting = self._owed + self._left + self._accepting + len(self._starting)
        return waiting >= self._backlog_limit

    @contextlib.contextmanager
    def accepting(self) -> Iterator[None]:
        """Keep room for a trip until it is handed to `start_soon` or turns out to be known already."""
        self._accepting += 1
        try:
            yield
        finally:
            self._accepting -= 1

    def start_soon(self, booking: Booking) -> None:
        """Start an accepted trip without waiting for it: now, or from the record later."""
        if self._behind or len(self._starting) >= STARTS_AT_ONCE:
            self._leave()
            return
        task = asyncio.create_task(self._start_or_leave(booking))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def start_if_owed(self, trip_id: str) -> None:
        """Start the trip now if the record owes its start. Raises CoordinatorAway and RecordAway."""
        booking = await trips.owed_booking(self._pool, trip_id)
        if booking is not None:
            await self._coordinator.start(Booking.model_validate(booking))

    @contextlib.asynccontextmanager
    async def draining(self) -> AsyncIterator[None]:
        """While the context is open, start the trips that are owed, oldest first."""
        with contextlib.suppress(RecordAway):
            await self._look()
        task = asyncio.create_task(self._keep_draining())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task, *self._starting], timeout=STOP_S)

    def _leave(self) -> None:
        self._behind = True
        self._left += 1
        self._wake.set()

    async def _start_or_leave(self, booking: Booking) -> None:
        try:
            await self._coordinator.start(booking)
        except CoordinatorAway as error:
            self._leave()
            log.warning("trip %s accepted, its start follows: %s", booking.trip_id, error)

    async def _keep_draining(self) -> None:
        while True:
            try:
                await self._drain()
            except Exception as error:
                self._behind = True
                unexpected = not isinstance(error, CoordinatorAway | RecordAway)
                log.warning("trips wait for their start, trying again: %s", error, exc_info=unexpected)
                await asyncio.sleep(LOOK_EVERY_S)
            else:
                await self._something_left()

    async def _something_left(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._wake.wait()

    async def _drain(self) -> None:
        """Start all that is owed. If no trip was left meanwhile, the starter is no longer behind."""
        if self._behind:
            await self._look()
        self._wake.clear()
        least_age_s = 0 if self._behind else OWED_AFTER_S
        after = trips.OLDEST
        while owed := await trips.backlog(self._pool, after, least_age_s, BATCH):
            await self._start_all(owed)
            after = owed[-1]["created_at"], owed[-1]["trip_id"]
        self._behind = self._wake.is_set()
        if not self._behind:
            self._owed = self._left = 0

    async def _look(self) -> None:
        """Count what is owed. A trip that is left meanwhile may count twice until the next look."""
        left = self._left
        self._owed = await trips.backlog_size(self._pool, self._backlog_limit)
        self._left -= left

    async def _start_all(self, owed: list[asyncpg.Record]) -> None:
        started = []
        try:
            for row in owed:
                if (booking := _booking(row)) is not None:
                    await self._coordinator.start(booking)
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
