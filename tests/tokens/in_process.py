"""The front door's application without a server: its calls are made in this process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.tokens import keys
from config.settings import Settings
from stack.ports import free_port
from tests.patience import PATIENCE_S
from trip.partner import Partner


@dataclass
class Call:
    """One call: what was sent so far, and its end."""

    task: "asyncio.Task[None]"
    sent: list[dict[str, Any]] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def status(self) -> int | None:
        """The status, once it was sent."""
        return next((one["status"] for one in self.sent if one["type"] == "http.response.start"), None)

    @property
    def body(self) -> bytes:
        """What was sent of the body."""
        return b"".join(one.get("body", b"") for one in self.sent)

    async def until_begun(self) -> None:
        """Wait until the answer has begun."""
        async with asyncio.timeout(PATIENCE_S):
            while self.status is None and not self.task.done():
                await asyncio.sleep(0.01)

    async def until_ended(self, limit_s: float = 20) -> None:
        """Wait for the end of the answer."""
        async with asyncio.timeout(limit_s):
            await self.task


@dataclass
class Application:
    """Calls the application itself."""

    app: FastAPI

    def begin(
        self, method: str, path: str, token: str, body: bytes = b"", address: str = "127.0.0.1"
    ) -> Call:
        """Make a call. Its caller leaves when `left` is set."""
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "scheme": "http",
            "http_version": "1.1",
            "client": (address, 1),
            "server": ("127.0.0.1", 8000),
            "headers": [
                (b"authorization", f"Bearer {token}".encode()),
                (b"content-type", b"application/json"),
            ],
        }
        pending = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if pending:
                return pending.pop()
            await call.left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            call.sent.append(message)

        call = Call(asyncio.ensure_future(self.app(scope, receive, send)))
        return call

    async def call(self, method: str, path: str, token: str, body: bytes = b"") -> Call:
        """A call that has ended."""
        call = self.begin(method, path, token, body)
        await call.until_ended()
        return call


@contextlib.asynccontextmanager
async def application(database_url: str, **told: Any) -> AsyncIterator[Application]:
    """The application while the context is open. Nobody listens where its Temporal and its partners are."""
    nobody = f"http://127.0.0.1:{free_port()}"
    partners = {f"{partner}_url": nobody for partner in Partner}
    settings = Settings.model_validate({"DATABASE_URL": database_url, **partners, **told})
    app = create_app(settings, asyncio.Event())
    with pytest.MonkeyPatch.context() as patch:
        # The issuer is in this process, too, which a busy machine may hold up.
        patch.setattr(keys, "FETCH_TIMEOUT", aiohttp.ClientTimeout(total=60))
        patch.setenv("TEMPORAL_ADDRESS", nobody.removeprefix("http://"))
        async with app.router.lifespan_context(app):
            yield Application(app)
