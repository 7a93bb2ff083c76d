"""A port on which a process without a front door says how it is: `/healthz`, `/readyz` and `/metrics`."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serving.client import HttpClient, NoReply
from serving.connections import Connections
from serving.figures import as_text
from serving.manners import with_manners
from serving.one_flight import OneFlight
from serving.problems import answer_errors
from serving.server import server_config

log = logging.getLogger(__name__)

CHECK_S = 2.0
FRESH_S = 0.5
MOST_FIGURES = 4 * 1024 * 1024
MOST_CONNECTIONS = 100
"""Of those who watch the process: it keeps its files for its work."""

Check = Callable[[], Awaitable[object]]
"""Raises an exception if what it asks is not well."""

Figures = Callable[[], Awaitable[bytes]]
"""More of the text of `/metrics`."""


async def nothing_more() -> bytes:
    """No figures beside those of the process."""
    return b""


def figures_at(session: aiohttp.ClientSession, url: str) -> Figures:
    """The figures that are served at `url`, for example by a library with a port of its own."""
    client = HttpClient(url, session)

    async def fetch() -> bytes:
        try:
            return (await client.ask("GET", "/metrics", limit_s=CHECK_S, max_body=MOST_FIGURES)).body
        except NoReply as error:
            log.warning("no figures from %s: %s", url, error)
            return b""

    return fetch


class _Server(uvicorn.Server):
    """Leaves the signals to the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def exposed(
    host: str, port: int, checks: Mapping[str, Check], more: Figures = nothing_more
) -> AsyncIterator[int]:
    """Serve while the context is open. Yields the port, which the system chooses if `port` is 0.

    `/healthz` answers while the loop turns. `/readyz` answers 503 if a check fails, and names it. What is
    answered is at most FRESH_S old. Raises OSError if the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family)
    chosen: int = listener.getsockname()[1]
    app = with_manners(_application(checks, more))
    server = _Server(server_config(app, host, chosen, Connections(MOST_CONNECTIONS)))
    serving = asyncio.create_task(server.serve([listener]))
    log.info("health and metrics at port %d", chosen)
    try:
        yield chosen
    finally:
        server.should_exit = True
        await serving


def _application(checks: Mapping[str, Check], more: Figures) -> Starlette:
    async def look() -> dict[str, str]:
        found = await asyncio.gather(*(_outcome(*check) for check in checks.items()))
        return dict(zip(checks, found, strict=True))

    async def write() -> bytes:
        return as_text() + await more()

    outcomes, text = OneFlight(look, FRESH_S), OneFlight(write, FRESH_S)

    async def alive(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_request: Request) -> Response:
        found = await outcomes.get()
        is_ready = set(found.values()) <= {"ok"}
        body = {"status": "ok" if is_ready else "unavailable", "dependencies": found}
        return JSONResponse(body, 200 if is_ready else 503)

    async def metrics(_request: Request) -> Response:
        return Response(await text.get(), media_type=CONTENT_TYPE_LATEST)

    found = Starlette(routes=[Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", metrics)])
    found.router.redirect_slashes = False
    answer_errors(found)
    return found


async def _outcome(name: str, check: Check) -> str:
    """`ok`, or what is wrong. The answer names no address: it may be anybody who asks."""
    try:
        async with asyncio.timeout(CHECK_S):
            await check()
    except TimeoutError:
        return f"no answer within {CHECK_S:g} s"
    except Exception as error:
        log.warning("%s is not ready: %s", name, error)
        return "no answer"
    return "ok"
