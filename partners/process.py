"""A partner's process: its service, and what else runs beside it, until SIGTERM or SIGINT."""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
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
from serving.connections import connections
from serving.files import raise_file_limit
from serving.garbage import collect_less_often
from serving.limits import limit_body
from serving.logs import log_as_json
from serving.manners import with_manners
from serving.server import server_config

log = logging.getLogger("partners")

DECLARATIONS = {partner.name: partner for partner in PARTNERS}

Beside = Callable[[PartnerService[Any], Any, Lab | None], AbstractAsyncContextManager[None]]
"""What runs beside the server, on the partner's store and under its lab, if there is one."""

OPEN_ATTEMPTS = 30
OPEN_BACKOFF_CAP_S = 2.0


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


def _application(service: PartnerService[S], store: S, config: PartnerConfig, lab: Lab | None) -> ASGIApp:
    app = create_app(service, store)
    if lab is not None:
        add_lab(app, lab)
    gated = limit_body(app)
    if config.token is not None:
        gated = demand_token(gated, config.token.get_secret_value())
    polite = with_manners(gated)
    return polite if lab is None else with_faults(polite, lab)


async def serve(service: PartnerService[Any], config: PartnerConfig, beside: Beside) -> None:
    """Serve the partner until a signal ends it."""
    async with opened(service, config) as store:
        lab = Lab() if config.lab else None
        application = _application(service, store, config, lab)
        taken = connections(raise_file_limit())
        server = uvicorn.Server(server_config(application, config.host, config.port, taken))
        collect_less_often()
        async with beside(service, store, lab):
            await server.serve()


@asynccontextmanager
async def nothing(_service: PartnerService[Any], _store: object, _lab: Lab | None) -> AsyncIterator[None]:
    """Nothing runs beside the server."""
    yield


def _stop(_signal: int, _frame: object) -> NoReturn:
    # Before the server runs, and again after it has drained, when it hands the signal on.
    sys.exit(0)


def _named(partner: str, setting: str, message: str) -> str:
    variable = setting if setting.startswith("TRIPS_") else f"TRIPS_{partner.upper()}_{setting.upper()}"
    return f"{variable}: {message}"


def main(program: str, prepared: Callable[[str], Beside] = lambda _: nothing) -> None:
    """Run the partner named on the command line. `prepared` makes what runs beside it, of its name.

    `prepared` may raise ValueError, of which each line then names a setting.
    """
    if len(sys.argv) != 2 or sys.argv[1] not in DECLARATIONS:
        sys.exit(f"usage: python -m {program} {'|'.join(DECLARATIONS)}")
    name = sys.argv[1]
    log_as_json(name)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        config = read_config(name)
    except ValidationError as error:
        sys.exit("\n".join(_named(name, str(found["loc"][0]), found["msg"]) for found in error.errors()))
    try:
        beside = prepared(name)
    except ValueError as error:
        sys.exit(str(error))
    service = load(DECLARATIONS[name])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(service, config, beside))
    except service.away as error:
        sys.exit(f"{name}: the engine cannot be reached: {type(error).__name__}: {error}")
