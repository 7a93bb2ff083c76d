"""The events of watched trips. A change is read once for all readers of its trip."""

import asyncio
import contextlib
import itertools
import json
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

import asyncpg
from fastapi.sse import format_sse_event

from api.links import linked
from record import events
from record.pool import Pool, RecordAway
from serving.beside import beside
from trip.trip import shown

log = logging.getLogger(__name__)

KEPT = 64
"""How many events a feed keeps. A reader that is further behind reads the record itself."""

FEEDS_A_QUERY = 200
LOOK_AGAIN_S = 5.0
"""How long a change can go unnoticed if its notification is lost."""
RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class Event:
    """One state of a trip, as it is sent. A final one is the last."""

    version: int
    is_final: bool
    message: bytes


class Feed:
    """The newest events of one trip, shared by its readers. A reader knows the last version it has seen."""

    def __init__(self, since: int) -> None:
        self._since = since
        self._events: deque[Event] = deque()
        self._changed = asyncio.Event()
        self.readers = 0

    @property
    def newest(self) -> int:
        """The version of the newest event."""
        return self._events[-1].version if self._events else self._since

    def after(self, version: int) -> list[Event] | None:
        """The events after `version`; None if the feed no longer has all of them."""
        if version < self._since:
            return None
        return [event for event in self._events if event.version > version]

    def add(self, newer: Sequence[Event]) -> None:
        """Add newer events, oldest first, and wake all readers."""
        self._events.extend(newer)
        while len(self._events) > KEPT:
            self._since = self._events.popleft().version
        self.wake()

    def wake(self) -> None:
        """Make every reader look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def next_change(self, limit_s: float) -> bool:
        """Wait for a change or a wake, for at most `limit_s` seconds. False if neither comes."""
        try:
            async with asyncio.timeout(limit_s):
                return await self._changed.wait()
        except TimeoutError:
            return False


class Feeds:
    """A feed for each watched trip. One task reads for all of them.

    A notification says which feed to read; one query reads many feeds. Every LOOK_AGAIN_S seconds all feeds
    are read, in case a notification was lost. When `stopping` is set, readers are woken to end.
    """

    def __init__(self, pool: Pool, stopping: asyncio.Event, root_path: str = "") -> None:
        self._pool = pool
        self._root_path = root_path
        self._stopping = stopping
        self._feeds: dict[str, Feed] = {}
        self._behind: dict[str, None] = {}
        self._some_behind = asyncio.Event()

    @property
    def are_ending(self) -> bool:
        """Whether readers have to end, because the process ends."""
        return self._stopping.is_set()

    def event_of(self, row: asyncpg.Record) -> Event:
        """An event from a row of `record.events.newer`."""
        trip = json.dumps(linked(shown(row["trip"]), self._root_path))
        message = format_sse_event(event="trip", id=str(row["version"]), data_str=trip)
        return Event(row["version"], row["is_final"], message)

    @contextlib.contextmanager
    def joined(self, trip_id: str, seen: int) -> Iterator[Feed]:
        """The trip's feed. The first reader starts it, after the version `seen`."""
        feed = self._feeds.get(trip_id)
        if feed is None:
            feed = self._feeds[trip_id] = Feed(seen)
            self.look_at(trip_id)
        feed.readers += 1
        try:
            yield feed
        finally:
            feed.readers -= 1
            if not feed.readers:
                del self._feeds[trip_id]

    def look_at(self, trip_id: str | None) -> None:
        """Read the trip's feed again, because there may be newer events; None means every feed."""
        if trip_id is None:
            self._behind.update(dict.fromkeys(self._feeds))
        elif trip_id in self._feeds:
            self._behind[trip_id] = None
        if self._behind:
            self._some_behind.set()

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """While the context is open, keep the feeds up to date."""
        async with beside(self._keep_reading(), self._keep_looking(), self._end()):
            yield

    async def _end(self) -> None:
        await self._stopping.wait()
        for feed in self._feeds.values():
            feed.wake()

    async def _keep_reading(self) -> None:
        while True:
            await self._some_behind.wait()
            batch = list(itertools.islice(self._behind, FEEDS_A_QUERY))
            try:
                await self._read(batch)
            except RecordAway as error:
                log.warning("events not read, trying again: %s", error)
                await asyncio.sleep(RETRY_S)
                self.look_at(None)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_AGAIN_S)
            self.look_at(None)

    async def _read(self, batch: Sequence[str]) -> None:
        for trip_id in batch:
            del self._behind[trip_id]
        if not self._behind:
            self._some_behind.clear()
        # A feed may be dropped and made again meanwhile, and then begins with another version.
        asked = {trip_id: feed for trip_id in batch if (feed := self._feeds.get(trip_id)) is not None}
        if not asked:
            return
        rows = await events.newer(self._pool, {trip_id: feed.newest for trip_id, feed in asked.items()})
        for trip_id, found in itertools.groupby(rows, key=lambda row: str(row["trip_id"])):
            newer = [self.event_of(row) for row in found]
            asked[trip_id].add(newer)
            if len(newer) == events.PAGE:
                self.look_at(trip_id)
