"""`python -m api`: serve the front door."""

import logging
import signal
import sys
from typing import NoReturn

import uvicorn

from api.app import create_app
from domain.settings import settings

DRAIN_S = 3
KEEP_ALIVE_S = 75
"""Longer than clients keep an idle connection, so that they do not send into a closing one."""


def _stop(_signal: int, _frame: object) -> NoReturn:
    # Before the server runs, and again after it has drained, when it hands the signal on.
    sys.exit(0)


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    config = settings()
    uvicorn.run(
        create_app(config),
        host=config.host,
        port=config.api_port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=DRAIN_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        lifespan="on",
    )


if __name__ == "__main__":
    main()
