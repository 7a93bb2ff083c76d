"""Each change of a trip's record, heard through PostgreSQL's notifications."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from record import notices
from record.pool import RecordAway, as_record_away, connect
from serving.beside import beside

log = logging.getLogger(__name__)

RECONNECT_S = 1.0
CHECK_S = 5.0
LOOK_AGAIN_S = 1.0
"""How long a change can go unnoticed if its notification is lost."""


class Changes:
    """Wakes callers that wait for a trip's end. One connection serves all of them.

    When `stopping` is set, all of them are woken.
    """

    def __init__(self, database_url: str, stopping: asyncio.Event) -> None:
        self._database_url = database_url
        self._stopping = stopping
        self._watched: Counter[str] = Counter()
        self._ended: dict[str, asyncio.Event] = {}
        self._told: list[Callable[[str | None], None]] = []

    def tell(self, told: Callable[[str | None], None]) -> None:
        """Call `told` with the id of each trip that changes, and with None if some may be missed."""
        self._told.append(told)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """While the context is open, listen, and reconnect whenever the connection is lost."""
        async with beside(self._keep_listening(), self._end()):
            yield

    @contextlib.contextmanager
    def watching(self, trip_id: str) -> Iterator[Callable[[float], Awaitable[None]]]:
        """Watch a trip. The value waits until it may have ended, a second at most, not past a loop time."""
        event = self._ended.setdefault(trip_id, asyncio.Event())
        self._watched[trip_id] += 1
        try:
            yield lambda until: self._next(event, until)
        finally:
            self._watched[trip_id] -= 1
            if not self._watched[trip_id]:
                del self._watched[trip_id], self._ended[trip_id]

    async def _next(self, event: asyncio.Event, until: float) -> None:
        look_again = asyncio.get_running_loop().time() + LOOK_AGAIN_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(min(look_again, until)):
                await event.wait()
        event.clear()

    async def _end(self) -> None:
        await self._stopping.wait()
        for event in self._ended.values():
            event.set()

    async def _keep_listening(self) -> None:
        while True:
            try:
                await self._listen()
            except RecordAway as error:
                log.warning("not listening for changes, trying again: %s", error)
            await asyncio.sleep(RECONNECT_S)

    async def _listen(self) -> None:
        connection = await connect(self._database_url, application_name="changes")
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        with as_record_away():
            try:
                await connection.add_listener(notices.CHANNEL, self._announce)
                self._tell(None)
                while True:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(CHECK_S):
                            await lost.wait()
                    # Nothing else shows that the server hangs, or is no longer the primary after a failover.
                    if await connection.fetchval("show transaction_read_only") == "on":
                        raise RecordAway("the server takes no writes any more")
            finally:
                connection.terminate()

    def _announce(self, _connection: object, _pid: int, _channel: str, notice: object) -> None:
        for trip_id, may_have_ended in notices.read(str(notice)).items():
            if may_have_ended and (event := self._ended.get(trip_id)):
                event.set()
            self._tell(trip_id)

    def _tell(self, trip_id: str | None) -> None:
        for told in self._told:
            told(trip_id)
