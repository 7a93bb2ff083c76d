"""`python -m partners NAME` runs one of the bundled partner services until SIGTERM or SIGINT."""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NoReturn

import uvicorn
import uvloop
from pydantic import ValidationError
from starlette.types import ASGIApp

from partners.app import create_app
from partners.catalogue import PARTNERS
from partners.config import PartnerConfig, read_config
from partners.gate import demand_token
from partners.lab import Lab, add_lab, with_faults
from partners.service import PartnerService, S, load
from serving.connections import bounded_protocol, raise_file_limit
from serving.garbage import collect_less_often
from serving.limits import limit_body

log = logging.getLogger("partners")

DECLARATIONS = {partner.name: partner for partner in PARTNERS}

OPEN_ATTEMPTS = 30
OPEN_BACKOFF_CAP_S = 2.0
DRAIN_S = 3
# Longer than clients keep an idle connection, so that they do not send into a closing one.
KEEP_ALIVE_S = 75


@asynccontextmanager
async def opened(service: PartnerService[S], config: PartnerConfig) -> AsyncIterator[S]:
    """The partner's store, once its engine answers. Raises the last attempt's error."""
    async with AsyncExitStack() as stack:
        for attempt in range(1, OPEN_ATTEMPTS + 1):
            try:
                entered = service.open(config.engine_url.get_secret_value(), config.hold_s)
                store = await stack.enter_async_context(entered)
                break
            except service.away as error:
                if attempt == OPEN_ATTEMPTS:
                    raise
                log.warning("engine not ready, attempt %d: %s: %s", attempt, type(error).__name__, error)
                await asyncio.sleep(min(0.1 * 2**attempt, OPEN_BACKOFF_CAP_S))
        yield store


def _application(service: PartnerService[S], store: S, config: PartnerConfig) -> ASGIApp:
    app = create_app(service, store)
    lab = Lab()
    if config.lab:
        add_lab(app, lab)
    gated = limit_body(app)
    if config.token is not None:
        gated = demand_token(gated, config.token.get_secret_value())
    return with_faults(gated, lab) if config.lab else gated


def _server(app: ASGIApp, config: PartnerConfig) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=config.host,
            port=config.port,
            http=bounded_protocol(raise_file_limit()),
            ws="none",
            access_log=False,
            # The application must get the server's own `send`, which the lab cuts.
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=DRAIN_S,
            timeout_keep_alive=KEEP_ALIVE_S,
            log_config=None,
            log_level="warning",
        )
    )


async def serve(service: PartnerService[Any], config: PartnerConfig) -> None:
    """Serve the partner until a signal ends it."""
    async with opened(service, config) as store:
        server = _server(_application(service, store, config), config)
        collect_less_often()
        await server.serve()


def _stop(_signal: int, _frame: object) -> NoReturn:
    # Before the server runs, and again after it has drained, when it hands the signal on.
    sys.exit(0)


def _named(partner: str, setting: str, message: str) -> str:
    variable = setting if setting.startswith("TRIPS_") else f"TRIPS_{partner.upper()}_{setting.upper()}"
    return f"{variable}: {message}"


def main() -> None:
    """Run the partner named on the command line."""
    if len(sys.argv) != 2 or sys.argv[1] not in DECLARATIONS:
        sys.exit(f"usage: python -m partners {'|'.join(DECLARATIONS)}")
    name = sys.argv[1]
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s {name} %(levelname)s %(message)s")
    try:
        config = read_config(name)
    except ValidationError as error:
        sys.exit("\n".join(_named(name, str(found["loc"][0]), found["msg"]) for found in error.errors()))
    service = load(DECLARATIONS[name])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(service, config))
    except service.away as error:
        sys.exit(f"{name}: the engine cannot be reached: {type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
