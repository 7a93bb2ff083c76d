"""Calls to a system of which any part may be away just then."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from trials.chaos.target import Target

Json = dict[str, Any]

CALL_LIMIT = aiohttp.ClientTimeout(total=15)
LAB_LIMIT = aiohttp.ClientTimeout(total=2)
PAUSE_S = 0.3


class Away(Exception):
    """Nothing answered, or nothing but that it cannot serve just now."""


@dataclass
class Client:
    """A traveller and a lab technician. `answers` counts the front door's answers by status."""

    http: aiohttp.ClientSession
    target: Target
    answers: Counter[str] = field(default_factory=Counter)

    async def call(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any
    ) -> tuple[int, Any]:
        """One call to the front door. Raises Away on 5xx, on no answer, and where it was cut."""
        authorization = {"Authorization": f"Bearer {self.target.token}"}
        options |= {"headers": authorization | dict(headers or {}), "timeout": CALL_LIMIT}
        try:
            async with self.http.request(method, self.target.api + path, **options) as answer:
                self.answers[str(answer.status)] += 1
                if answer.status >= 500:
                    raise Away(f"{method} {path} answered {answer.status}")
                return answer.status, await answer.json(content_type=None)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self.answers["none"] += 1
            raise Away(f"{method} {path}: {error or type(error).__name__}") from error

    async def insist(self, method: str, path: str, within_s: float, **options: Any) -> tuple[int, Any]:
        """`call`, again and again until it is answered. Raises Away after `within_s` seconds."""
        until = asyncio.get_running_loop().time() + within_s
        while True:
            try:
                return await self.call(method, path, **options)
            except Away:
                if asyncio.get_running_loop().time() >= until:
                    raise
                await asyncio.sleep(PAUSE_S)

    async def trip(self, trip_id: str, within_s: float = 60.0) -> Json:
        """The trip as it stands. Raises Away."""
        status, trip = await self.insist("GET", f"/trips/{trip_id}", within_s)
        if status != 200:
            raise Away(f"GET /trips/{trip_id} answered {status}")
        return dict(trip)

    async def trips(self, status: str | None = None, within_s: float = 60.0) -> list[Json]:
        """All trips, or those of one status. Raises Away."""
        found: list[Json] = []
        query = "limit=500" + (f"&status={status}" if status else "")
        cursor: str | None = ""
        while cursor is not None:
            page_of = f"{query}&cursor={cursor}" if cursor else query
            _, page = await self.insist("GET", f"/trips?{page_of}", within_s)
            found += page["items"]
            cursor = page["next_cursor"]
        return found

    async def lab(self, method: str, partner: str, path: str, body: Json | None = None) -> Any:
        """A call to a partner's lab or audit view; None where it is away or refuses."""
        url = self.target.partners[partner] + path
        try:
            async with self.http.request(method, url, json=body, timeout=LAB_LIMIT) as answer:
                return await answer.json(content_type=None) if answer.status < 400 else None
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None

    async def reservation(self, partner: str, key: str, within_s: float = 20.0) -> str | None:
        """How a partner's reservation stands, or None where there is none. Raises Away after `within_s`."""
        until = asyncio.get_running_loop().time() + within_s
        while True:
            try:
                return await self._reservation(f"{self.target.partners[partner]}/reservations/{key}")
            except Away:
                if asyncio.get_running_loop().time() >= until:
                    raise
                await asyncio.sleep(PAUSE_S)

    async def _reservation(self, url: str) -> str | None:
        try:
            async with self.http.get(url, timeout=LAB_LIMIT) as answer:
                if answer.status == 404:
                    return None
                if answer.status == 200:
                    return str((await answer.json())["status"])
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Away(f"GET {url}: {error or type(error).__name__}") from error
        raise Away(f"GET {url} answered {answer.status}")

    async def lab_calls(self, partner: str, key: str) -> list[Json]:
        """The calls that a partner received for a trip; none where it is away."""
        page = await self.lab("GET", partner, f"/lab/calls?key={key}")
        return [] if page is None else list(page["items"])
