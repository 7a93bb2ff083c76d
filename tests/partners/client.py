"""A partner's caller: every call gives the status and the JSON of the answer."""

import asyncio
import io
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp

LIMIT = aiohttp.ClientTimeout(total=30)


def new_key() -> str:
    """A key that no other test uses."""
    return f"t-{secrets.token_hex(8)}"


async def until(condition: Callable[[], Awaitable[bool]], within_s: int = 100) -> None:
    """Wait for `condition`, for `within_s` seconds at most."""
    for _ in range(within_s * 10):
        if await condition():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("waited in vain")


PUTS = 10


@dataclass(frozen=True)
class Client:
    """The partner at `base`, called with `token` where it has one."""

    http: aiohttp.ClientSession
    base: str
    token: str | None = None

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """One call; `body` is sent as JSON, bytes as they are. Errors must be problems."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None
        if body is not None:
            data = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
        request = self.http.request(method, self.base + path, data=data, headers=headers, timeout=LIMIT)
        async with request as response:
            answer = await response.json(content_type=None)
            if response.status >= 400:
                assert response.content_type == "application/problem+json"
                assert answer["status"] == response.status
                assert answer["code"]
            return response.status, answer

    async def put(self, key: str, body: object) -> tuple[int, Any]:
        """Hold."""
        return await self.call("PUT", f"/reservations/{quote(key, safe='')}", body)

    async def put_until_answered(self, key: str, body: object) -> tuple[int, Any]:
        """Hold, again if the partner has no connection to its engine left."""
        for _ in range(PUTS):
            status, answer = await self.put(key, body)
            if status != 503:
                break
        return status, answer

    async def confirm(self, key: str) -> tuple[int, Any]:
        """Make the hold final."""
        return await self.call("POST", f"/reservations/{key}/confirm")

    async def release(self, key: str) -> tuple[int, Any]:
        """Give the hold back."""
        return await self.call("DELETE", f"/reservations/{key}")

    async def get(self, key: str) -> tuple[int, Any]:
        """Read the reservation."""
        return await self.call("GET", f"/reservations/{key}")

    async def every(self, path: str, limit: int = 500) -> list[Any]:
        """All entries of a list, page by page."""
        items: list[Any] = []
        query = f"limit={limit}"
        while True:
            status, page = await self.call("GET", f"{path}{'&' if '?' in path else '?'}{query}")
            assert status == 200
            assert len(page["items"]) <= limit
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            query = f"limit={limit}&cursor={quote(page['next_cursor'], safe='')}"
