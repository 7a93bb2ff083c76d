"""`python -m choreography adapter NAME`: take part for a partner that speaks HTTP alone."""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import AsyncIterator
from functools import partial

import uvloop

from calling.http import PartnerHttp
from choreography.broker import ask, connected
from choreography.http_partner import HttpPartner
from choreography.partner import Part, taking_part
from config.clients import open_clients
from config.settings import Settings, settings
from guard.figures import BreakerFigures
from guard.guard import Guard
from guard.view import Breakers
from record import schema
from record.adapter_steps import AdapterSteps
from record.pool import PoolerFound, RecordAway, open_pool
from record.schema import WrongSchema
from serving.exposition import Check, exposed
from serving.figures import FIGURES
from serving.garbage import collect_less_often
from serving.logs import log_as_json
from trip.partner import Partner

log = logging.getLogger("adapter")


@contextlib.asynccontextmanager
async def adapting(part: Part, config: Settings) -> AsyncIterator[None]:
    """Take part for the partner while the context is open, but for the time that its breaker is open."""
    me = part.me
    async with (
        open_pool(config.database_url, config.connections(), through_pooler=config.is_pooled) as pool,
        open_clients({me: config.upstream(me)}) as clients,
        Breakers(config.listening_url, config.breaker_policy(), [me]) as breakers,
        connected(config.nats_url, f"{me}-adapter", config.nats_replicas) as broker,
    ):
        guard = Guard(breakers, {me: part.backoff}, config.retry_budget(), config.calls_at_once)
        store = HttpPartner(me, AdapterSteps(pool, me), guard, PartnerHttp(clients))
        FIGURES.register(BreakerFigures(breakers, (me,)))
        checks: dict[str, Check] = {
            "broker": partial(ask, broker),
            "postgres": partial(pool.execute, "select"),
        }
        async with (
            part.taken(broker, store, (RecordAway,), takes=lambda: guard.look([me]) is None),
            exposed(config.host, config.adapter_port or 0, checks),
        ):
            yield


async def run(part: Part, config: Settings) -> None:
    """Take part until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await schema.check(config.listening_url)
    async with adapting(part, config):
        collect_less_often()
        log.info("ready")
        await stop.wait()


def main() -> None:
    """Run the adapter of the partner that the command line names."""
    name = sys.argv[2]
    log_as_json(f"{name}-adapter")
    config, me = settings(), Partner(name)
    if not config.nats_url:
        sys.exit("adapter: set NATS_URL")
    try:
        part = taking_part(me, config)
    except ValueError as error:
        sys.exit(str(error))
    try:
        uvloop.run(run(part, config))
    except (PoolerFound, WrongSchema) as error:
        sys.exit(f"DATABASE_URL: {error}")
