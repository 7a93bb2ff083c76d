"""Stands between the workers and the hotel: a request can be on its way for longer than its caller waits."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from stack.ports import free_port

FORWARD_LIMIT = aiohttp.ClientTimeout(total=10)


@dataclass
class SlowNetwork:
    """Forwards requests to `target`; the next holds are kept back for `delays_s`, in that order."""

    target: str
    http: aiohttp.ClientSession
    port: int = field(default_factory=free_port)
    delays_s: list[float] = field(default_factory=list)
    arrived_late: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """The hotel's address, as the workers know it."""
        return f"http://127.0.0.1:{self.port}"

    async def forward(self, request: web.Request) -> web.Response:
        body = await request.read()
        late_s = self.delays_s.pop(0) if self.delays_s and request.method == "PUT" else 0.0
        await asyncio.sleep(late_s)
        headers = {"Content-Type": "application/json"} if body else {}
        url = self.target + request.path_qs
        try:
            async with self.http.request(request.method, url, data=body or None, headers=headers) as answer:
                content = await answer.read()
        except aiohttp.ClientError as error:
            return web.Response(status=502, text=str(error))
        if late_s:
            self.arrived_late.set()
        return web.Response(status=answer.status, body=content, content_type="application/json")


@contextlib.asynccontextmanager
async def slow_network(target: str) -> AsyncIterator[SlowNetwork]:
    async with aiohttp.ClientSession(timeout=FORWARD_LIMIT) as http:
        # It would send a request again by itself if a connection is cut.
        http._retry_connection = False
        found, app = SlowNetwork(target, http), web.Application()
        app.router.add_route("*", "/{path:.*}", found.forward)
        # A request goes on although its caller has hung up.
        runner = web.AppRunner(app, handler_cancellation=False)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", found.port).start()
        yield found
        await runner.cleanup()
