"""An application served by the test's own process, for limits that no setting shortens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

from serving.connections import Connections
from serving.server import server_config
from stack.ports import free_port
from tests.patience import PATIENCE_S


@asynccontextmanager
async def served(app: ASGIApp, taken: Connections | None = None) -> AsyncIterator[int]:
    """The port that the application answers on while the context is open. `taken` bounds its connections."""
    port = free_port()
    config = server_config(app, "127.0.0.1", port, taken or Connections())
    config.lifespan = "auto"
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not server.started:
                await asyncio.sleep(0.01)
        yield port
    finally:
        server.should_exit = True
        await serving
