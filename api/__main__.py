"""`python -m api`: serve the front door."""

import asyncio
import logging
import signal
import socket
import sys
from typing import NoReturn

import uvicorn

from api.app import create_app
from config.settings import Settings, settings
from record.pool import PoolerFound, refuse_pooler
from serving.connections import bounded_protocol, most_connections, raise_file_limit
from serving.limits import answer_cut_calls, limit_sends

DRAIN_S = 3
KEEP_ALIVE_S = 75
"""Clients keep an idle connection for less, so none sends into one that the server is closing."""


def _stop(_signal: int, _frame: object) -> NoReturn:
    # Called before the server runs, and after it has drained, since it then raises the signal again.
    sys.exit(0)


class _Server(uvicorn.Server):
    """Sets `stopping` before it waits for open connections; the lifespan would learn of it after them."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping.set()
        await super().shutdown(sockets)


def within(config: Settings, connections: int) -> Settings:
    """Settings by which streams and waiting callers leave a quarter of the connections to quick calls."""
    bounds = {"streams": min(config.streams, connections // 2), "waits": min(config.waits, connections // 4)}
    return config.model_copy(update=bounds)


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    files = raise_file_limit()
    config = within(settings(), most_connections(files))
    try:
        asyncio.run(refuse_pooler(config.listening_url))
    except PoolerFound as error:
        sys.exit(f"DATABASE_URL: {error}")
    stopping = asyncio.Event()
    options = uvicorn.Config(
        limit_sends(answer_cut_calls(create_app(config, stopping))),
        host=config.host,
        port=config.api_port,
        http=bounded_protocol(files),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=DRAIN_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        lifespan="on",
    )
    server = _Server(options, stopping)
    server.run()
    if not server.started:
        sys.exit(1)


if __name__ == "__main__":
    main()
