"""The events of the trips that are watched: read once for each change, for all who watch the trip."""

import asyncio
import contextlib
import itertools
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

import asyncpg
from fastapi.sse import format_sse_event

from record import events
from record.pool import Pool, RecordAway

log = logging.getLogger(__name__)

KEPT = 64
"""Events that a feed keeps; a reader further behind reads for itself."""

FEEDS_A_QUERY = 200
LOOK_AGAIN_S = 5.0
"""How long a change can go unnoticed where its notification was lost."""
RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class Event:
    """One state of a trip, as it is sent: no state follows one that is final."""

    version: int
    is_final: bool
    message: bytes


def event_of(row: asyncpg.Record) -> Event:
    """An event from a row of `record.events.newer`."""
    message = format_sse_event(event="trip", id=str(row["version"]), data_str=row["trip"])
    return Event(row["version"], row["is_final"], message)


class Feed:
    """The newest events of one trip, shared by its readers; each reader holds the version it has seen."""

    def __init__(self, since: int) -> None:
        self._since = since
        self._events: deque[Event] = deque()
        self._changed = asyncio.Event()
        self.readers = 0

    @property
    def newest(self) -> int:
        """The version that the feed has come to."""
        return self._events[-1].version if self._events else self._since

    def after(self, version: int) -> list[Event] | None:
        """The events after `version`, none where the feed is no further; None where it kept not all."""
        if version < self._since:
            return None
        return [event for event in self._events if event.version > version]

    def add(self, newer: Sequence[Event]) -> None:
        """Add what is newer, oldest first, and wake all readers."""
        self._events.extend(newer)
        while len(self._events) > KEPT:
            self._since = self._events.popleft().version
        self.wake()

    def wake(self) -> None:
        """Have every reader look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def next_change(self, limit_s: float) -> bool:
        """Whether the feed changed, or woke its readers, within `limit_s` seconds."""
        try:
            async with asyncio.timeout(limit_s):
                return await self._changed.wait()
        except TimeoutError:
            return False


class Feeds:
    """A feed for each trip that is watched, all kept up to date by one task.

    Notifications say what to read, many feeds in one query; where none comes all are read every
    LOOK_AGAIN_S seconds. Once `stopping` is set, readers are woken to end.
    """

    def __init__(self, pool: Pool, stopping: asyncio.Event) -> None:
        self._pool = pool
        self._stopping = stopping
        self._feeds: dict[str, Feed] = {}
        self._behind: dict[str, None] = {}
        self._some_behind = asyncio.Event()

    @property
    def are_ending(self) -> bool:
        """Whether readers are to end, for the process does."""
        return self._stopping.is_set()

    @contextlib.contextmanager
    def joined(self, trip_id: str, seen: int) -> Iterator[Feed]:
        """The trip's feed, which a first reader starts after the version it has `seen`."""
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
        """There may be events that the trip's feed has not; None: that any feed has not."""
        if trip_id is None:
            self._behind.update(dict.fromkeys(self._feeds))
        elif trip_id in self._feeds:
            self._behind[trip_id] = None
        if self._behind:
            self._some_behind.set()

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Keep the feeds up to date while the context is open."""
        jobs = (self._keep_reading(), self._keep_looking(), self._end())
        tasks = [asyncio.create_task(job) for job in jobs]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

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
        # A feed that is dropped meanwhile may have a successor, which started elsewhere.
        asked = {trip_id: feed for trip_id in batch if (feed := self._feeds.get(trip_id)) is not None}
        if not asked:
            return
        rows = await events.newer(self._pool, {trip_id: feed.newest for trip_id, feed in asked.items()})
        for trip_id, found in itertools.groupby(rows, key=lambda row: str(row["trip_id"])):
            newer = [event_of(row) for row in found]
            asked[trip_id].add(newer)
            if len(newer) == events.PAGE:
                self.look_at(trip_id)
