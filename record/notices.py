"""Word to the front doors that trips have changed.

A notice is sent after the writes that it tells of, never in their transactions. There it would take a lock
of the whole server at each commit, and fail the write if the server's queue of notices is full.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable

from record.pool import Pool, RecordAway, connected
from serving.beside import beside

log = logging.getLogger(__name__)

CHANNEL = "trips"
"""A notice on it has the ids of one trip or more."""

MOST_IDS = 35
"""Ids of 200 characters, the longest that there can be, stay under PostgreSQL's 8,000 bytes."""

PAUSE_S = 0.05
PAUSE_FOR_EACH_S = 0.01
"""The pause after a notice grows with its ids, up to PAUSE_S."""

SAVED_S = 0.05
"""So much of the pauses may be put off: the changes of a lone trip wait for nothing."""


# Asking for the queue's use also clears it of what a listener that is gone has left.
_SEND = "select pg_notify($1, $2) where pg_notification_queue_usage() < 0.9"


async def send(pool: Pool, trip_ids: Iterable[str]) -> None:
    """Tell all front doors that these trips have changed, at most MOST_IDS. Raises RecordAway."""
    async with connected(pool) as connection:
        if await connection.execute(_SEND, CHANNEL, " ".join(trip_ids)) == "SELECT 0":
            raise RecordAway("PostgreSQL's queue of notices is full")


def read(notice: str) -> list[str]:
    """The ids in a notice."""
    return notice.split()


class Notices:
    """The trips that a process has written and still has to tell of.

    A notice that cannot be sent is dropped: whoever waits for a trip looks again by itself.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._changed: dict[str, None] = {}
        self._some = asyncio.Event()
        self._are_lost = False

    def tell(self, trip_id: str) -> None:
        """Have the front doors told that the trip has changed."""
        self._changed[trip_id] = None
        self._some.set()

    @contextlib.asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """Send notices while the context is open. At its end, send what is left."""
        try:
            async with beside(self._keep_telling()):
                yield
        finally:
            while self._changed and not self._are_lost:
                await self._send_some()

    async def _keep_telling(self) -> None:
        clock, pause_ends = asyncio.get_running_loop().time, 0.0
        while True:
            await self._some.wait()
            sent = await self._send_some()
            if len(self._changed) < MOST_IDS:
                pause_ends = max(pause_ends, clock()) + min(PAUSE_S, PAUSE_FOR_EACH_S * sent)
                await asyncio.sleep(pause_ends - SAVED_S - clock())

    async def _send_some(self) -> int:
        """Send one notice; returns how many trips it tells of."""
        trip_ids = list(self._changed)[:MOST_IDS]
        for trip_id in trip_ids:
            del self._changed[trip_id]
        if not self._changed:
            self._some.clear()
        try:
            await send(self._pool, trip_ids)
        except RecordAway as error:
            if not self._are_lost:
                log.warning("no word of changed trips can be sent; readers look by themselves: %s", error)
            self._are_lost = True
        else:
            self._are_lost = False
        return len(trip_ids)
