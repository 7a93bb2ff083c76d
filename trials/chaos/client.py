"""Calls to a system of which any part may be away just then, and the settings of the systems to be broken."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeVar

import aiohttp

from trials.orders import Json
from trials.polling import last_look
from trials.traveller import Traveller
from trials.world import World

SOAK = {
    # Retries quick enough for a run of minutes, and as many as by default.
    "TRIPS_RETRY_BASE_S": "0.2",
    "TRIPS_RETRY_CAP_S": "2",
    # Breakers that open as easily as by default, but not for ten minutes.
    "TRIPS_BREAKER_OPEN_S": "3",
}
"""For a run with random faults."""

PRECISE = {
    # Between two attempts there is time to kill something.
    "TRIPS_RETRY_BASE_S": "3",
    "TRIPS_RETRY_CAP_S": "3",
    "TRIPS_RETRY_JITTER": "none",
    # So that a local activity stands at its moment as long as an ordinary one.
    "TRIPS_LOCAL_ATTEMPT_S": "4.5",
    # The question is what a kill does, not what a breaker does about it.
    "TRIPS_BREAKER_MIN_CALLS": "10000",
    "TRIPS_BREAKER_FAILURES_IN_A_ROW": "10000",
    "TRIPS_PROBE_INTERVAL_S": "3600",
}
"""So that a moment can be met."""

UNHURRIED = PRECISE | {"TRIPS_LOCAL_ATTEMPT_S": "1"}
"""So that a slow trip hears of its cancel between two calls, as by default."""

CONNECTIONS = 150
CALL_LIMIT = aiohttp.ClientTimeout(total=15)
LAB_LIMIT = aiohttp.ClientTimeout(total=2)
INSIST_S = 60.0
PAUSE_S = 0.3

T = TypeVar("T")


class Away(Exception):
    """Nothing answered, or the answer was that it cannot serve just now."""


class Client(Traveller):
    """A traveller and a lab technician. `answers` counts the front door's answers by status."""

    def __init__(self, http: aiohttp.ClientSession, world: World) -> None:
        super().__init__(http, world.api, world.partners, world.tokens["operator"])
        self.world = world
        self.answers: Counter[str] = Counter()

    async def call(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any
    ) -> tuple[int, Any]:
        """One call to the front door. Raises Away on 5xx, on no answer, and if it was cut."""
        try:
            status, answer = await super().call(method, path, headers, timeout=CALL_LIMIT, **options)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            self.answers["none"] += 1
            raise Away(f"{method} {path}: {error or type(error).__name__}") from error
        self.answers[str(status)] += 1
        if status >= 500:
            raise Away(f"{method} {path} answered {status}")
        return status, answer

    async def insist(
        self, method: str, path: str, within_s: float = INSIST_S, **options: Any
    ) -> tuple[int, Any]:
        """`call`, again and again until it is answered. Raises Away after `within_s` seconds."""
        return await _insist(lambda: self.call(method, path, **options), within_s)

    async def trip(self, trip_id: str) -> Json:
        status, trip = await self.insist("GET", f"/trips/{trip_id}")
        if status != 200:
            raise Away(f"GET /trips/{trip_id} answered {status}")
        return dict(trip)

    async def trips(self, status: str | None = None) -> list[Json]:
        found: list[Json] = []
        query = "limit=500" + (f"&status={status}" if status else "")
        cursor: str | None = ""
        while cursor is not None:
            _, page = await self.insist("GET", f"/trips?{query}" + (f"&cursor={cursor}" if cursor else ""))
            found += page["items"]
            cursor = page["next_cursor"]
        return found

    async def lab(self, method: str, partner: str, path: str, body: Json | None = None) -> Any:
        try:
            status, answer = await self._ask(method, partner, path, body)
        except Away:
            return None
        return answer if status < 400 else None

    async def stands_as(self, partner: str, key: str) -> str | None:
        """The status of a partner's reservation, or None if there is none. Raises Away."""

        async def ask() -> str | None:
            status, answer = await self._ask("GET", partner, f"/reservations/{key}")
            if status not in (200, 404):
                raise Away(f"{partner} answered {status}")
            return str(answer["status"]) if status == 200 else None

        return await _insist(ask, INSIST_S / 3)

    async def lab_calls(self, partner: str, key: str) -> list[Json]:
        """The calls that a partner received for a trip; none if it is away."""
        page = await self.lab("GET", partner, f"/lab/calls?key={key}")
        return [] if page is None else list(page["items"])

    async def _ask(self, method: str, partner: str, path: str, body: Json | None = None) -> tuple[int, Any]:
        url = self.world.partners[partner] + path
        try:
            async with self.http.request(method, url, json=body, timeout=LAB_LIMIT) as answer:
                return answer.status, await answer.json(content_type=None)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise Away(f"{method} {url}: {error or type(error).__name__}") from error


async def _insist(call: Callable[[], Awaitable[T]], within_s: float) -> T:
    async def ask() -> T | Away:
        try:
            return await call()
        except Away as away:
            return away

    found = await last_look(ask, lambda answer: not isinstance(answer, Away), within_s, PAUSE_S)
    if isinstance(found, Away):
        raise found
    return found


@contextlib.asynccontextmanager
async def calling(world: World) -> AsyncIterator[Client]:
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector) as http:
        # It would send a request again by itself if a connection is cut.
        http._retry_connection = False
        yield Client(http, world)
