"""Stands between the workers and the hotel: a request can be on its way for longer than its caller waits."""

import asyncio

import aiohttp
from aiohttp import web

from stack.ports import free_port

FORWARD_LIMIT = aiohttp.ClientTimeout(total=10)


class SlowNetwork:
    """Forwards requests to `target`; the next holds are kept back for `delays_s`, in that order."""

    def __init__(self, target: str) -> None:
        self.port = free_port()
        self.target = target
        self.delays_s: list[float] = []
        self.arrived_late = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._http: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        """Where the hotel seems to be."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Serve until `stop`."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._forward)
        self._http = aiohttp.ClientSession(timeout=FORWARD_LIMIT)
        # It would send a request again by itself where a connection is cut.
        self._http._retry_connection = False
        # A request goes on although its caller has hung up.
        self._runner = web.AppRunner(app, handler_cancellation=False)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        """Close everything."""
        assert self._runner is not None and self._http is not None
        await self._runner.cleanup()
        await self._http.close()

    async def _forward(self, request: web.Request) -> web.Response:
        assert self._http is not None
        body = await request.read()
        late_s = self.delays_s.pop(0) if self.delays_s and request.method == "PUT" else 0.0
        await asyncio.sleep(late_s)
        headers = {"Content-Type": "application/json"} if body else {}
        try:
            async with self._http.request(
                request.method, self.target + request.path_qs, data=body or None, headers=headers
            ) as answer:
                found = web.Response(
                    status=answer.status, body=await answer.read(), content_type="application/json"
                )
        except aiohttp.ClientError as error:
            return web.Response(status=502, text=str(error))
        if late_s:
            self.arrived_late.set()
        return found
