"""Keeps the failed attempts of a trip's calls, for people to see. No call waits or fails because of it."""

import asyncio
import contextlib
import itertools
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.attempt import AttemptFailed
from record import attempts
from record.pool import Pool, RecordAway
from serving.beside import beside
from serving.fields import shown
from trip.attempts import SENT_NOTHING, FailedAttempt
from trip.partner import Partner, Verb

log = logging.getLogger(__name__)

QUEUE = 10_000
BATCH = 200
LAST_WRITE_S = 1.0


class Journal:
    """At most QUEUE failed attempts on their way to the record. Without room or record, they are dropped."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._queue: deque[attempts.Entry] = deque()
        self._filled = asyncio.Event()
        self._dropped = 0

    @contextlib.contextmanager
    def noting(self, verb: Verb, step: Partner) -> Iterator[None]:
        """Note the attempt made in this context, if it raises AttemptFailed."""
        at, began = datetime.now(UTC), time.monotonic()
        try:
            yield
        except AttemptFailed as failure:
            self._note(verb, step, failure, at, time.monotonic() - began)
            raise

    def noted(self, verb: Verb, step: Partner, failure: AttemptFailed) -> AttemptFailed:
        """Note the failure of an attempt that sent nothing, and return it."""
        self._note(verb, step, failure, datetime.now(UTC), 0)
        return failure

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Write while the context is open. At its end, write what is left."""
        try:
            async with beside(self._keep_writing()):
                yield
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WRITE_S):
                    await self._write_all()

    def _note(self, verb: Verb, step: Partner, failure: AttemptFailed, at: datetime, took_s: float) -> None:
        if len(self._queue) >= QUEUE:
            self._dropped += 1
            return
        info = activity.info()
        delay = failure.next_retry_delay
        attempt = FailedAttempt(
            step=step,
            verb=verb,
            attempt=failure.error.attempts + (failure.outcome in SENT_NOTHING),
            at=at,
            took_ms=round(1000 * took_s),
            outcome=failure.outcome,
            error=shown(failure.error.message),
            next_at=None if delay is None else at + timedelta(seconds=took_s) + delay,
        )
        self._queue.append(attempts.Entry(info.workflow_id or "", info.activity_id, attempt))
        self._filled.set()

    async def _keep_writing(self) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            await self._write_all()

    async def _write_all(self) -> None:
        while self._queue:
            batch = list(itertools.islice(self._queue, BATCH))
            try:
                await attempts.write(self._pool, batch)
            except RecordAway as error:
                self._dropped += len(batch)
                log.warning("failed attempts cannot be written: %s", error)
            for _ in batch:
                self._queue.popleft()
        if self._dropped:
            log.warning("%d failed attempts are not in the record", self._dropped)
            self._dropped = 0
