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
from trip.trip import FINAL_STATUSES, TripStatus

log = logging.getLogger(__name__)

CHANNEL = "trips"
"""A notice on it has the ids of one trip or more, those of trips under way behind UNDER_WAY."""

UNDER_WAY = "/"
"""Whoever waits for a trip's end need not look at one that stands behind this. It is no trip's id."""

MOST_IDS = 35
"""Ids of 200 characters, the longest that there can be, stay under PostgreSQL's 8,000 bytes."""

PAUSE_S = 0.05
PAUSE_FOR_EACH_S = 0.01
"""The pause after a notice grows with its ids, up to PAUSE_S."""

SAVED_S = 0.05
"""So much of the pauses may be put off: the changes of a lone trip wait for nothing."""


# Asking for the queue's use also clears it of what a listener that is gone has left.
_SEND = "select pg_notify($1, $2) where pg_notification_queue_usage() < 0.9"


async def send(pool: Pool, ended: Iterable[str], under_way: Iterable[str] = ()) -> None:
    """Tell all front doors that these trips have changed, at most MOST_IDS. Raises RecordAway."""
    words = [*ended, UNDER_WAY, *under_way]
    async with connected(pool) as connection:
        if await connection.execute(_SEND, CHANNEL, " ".join(words)) == "SELECT 0":
            raise RecordAway("PostgreSQL's queue of notices is full")


def read(notice: str) -> dict[str, bool]:
    """The ids in a notice, and whether each trip may have ended."""
    ended, _, under_way = notice.partition(UNDER_WAY)
    return dict.fromkeys(under_way.split(), False) | dict.fromkeys(ended.split(), True)


class Notices:
    """The trips that a process has written and still has to tell of.

    A notice that cannot be sent is dropped: whoever waits for a trip looks again by itself.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._changed: dict[str, bool] = {}
        self._some = asyncio.Event()
        self._are_lost = False

    def tell(self, trip_id: str, status: TripStatus) -> None:
        """Have the front doors told that the trip has changed, and now has this status."""
        self._changed[trip_id] = status in FINAL_STATUSES or self._changed.get(trip_id, False)
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
        some = {trip_id: self._changed.pop(trip_id) for trip_id in list(self._changed)[:MOST_IDS]}
        if not self._changed:
            self._some.clear()
        try:
            await send(
                self._pool,
                [trip_id for trip_id, has_ended in some.items() if has_ended],
                [trip_id for trip_id, has_ended in some.items() if not has_ended],
            )
        except RecordAway as error:
            if not self._are_lost:
                log.warning("no word of changed trips can be sent; readers look by themselves: %s", error)
            self._are_lost = True
        else:
            self._are_lost = False
        return len(some)
