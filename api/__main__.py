"""`python -m api`: serve the front door."""

import asyncio
import signal
import socket
import sys
from typing import NoReturn

import uvicorn

from api.app import create_app
from api.authentication import is_known
from api.counting import counted
from api.turns import Turns, in_turn
from config.settings import Settings, settings
from record import schema
from record.pool import PoolerFound
from record.schema import WrongSchema
from serving.connections import connections, most_connections
from serving.files import raise_file_limit
from serving.limits import answer_cut_calls
from serving.logs import log_as_json
from serving.manners import with_manners
from serving.proxy import behind_proxy
from serving.server import server_config
from serving.tracing import traced, tracing_as


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
    log_as_json("api")
    files = raise_file_limit()
    config = settings()
    config = within(config, most_connections(files, config.client_connections))
    try:
        asyncio.run(schema.check(config.listening_url))
    except (PoolerFound, WrongSchema) as error:
        sys.exit(f"DATABASE_URL: {error}")
    stopping = asyncio.Event()
    app = create_app(config, stopping)
    waiting = in_turn(traced(counted(app)), Turns(), lambda scope: is_known(app.state.door, scope))
    application = with_manners(answer_cut_calls(waiting))
    placed = behind_proxy(application, config.root_path, config.proxies())
    taken = connections(
        files, config.client_connections, config.client_connections_of_an_address, config.proxies()
    )
    server = _Server(server_config(placed, config.host, config.api_port, taken), stopping)
    with tracing_as("trips-api"):
        server.run()
    if not server.started:
        sys.exit(1)


if __name__ == "__main__":
    main()
