"""How the front door and the partners are served: uvicorn, with limits and without a banner."""

from starlette.types import ASGIApp
from uvicorn import Config

from serving.connections import Connections
from serving.limits import limit_sends
from serving.protocol import protocol

DRAIN_S = 3
KEEP_ALIVE_S = 75
"""Clients keep an idle connection for less, so none sends into one that the server is closing."""


def server_config(app: ASGIApp, host: str, port: int, connections: Connections) -> Config:
    """Serves `app` there. An answer that nobody takes is cut off."""
    return Config(
        limit_sends(app),
        host=host,
        port=port,
        http=protocol(connections),
        ws="none",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        log_config=None,
        lifespan="on",
    )
