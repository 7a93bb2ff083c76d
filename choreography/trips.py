"""The process `trips`: hears what partners tell, and looks at the trips that stand still."""

import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from functools import partial
from typing import Any

import uvloop

from choreography.batches import listen_in_batches
from choreography.broker import Broker, ask, connected
from choreography.ledger import AT_ONCE, CONSUMER, SUBJECTS, Ledger, means
from choreography.listener import LEAVE_S
from choreography.rows import Rules
from choreography.sealing import Seal
from choreography.waiting import waits_s
from config.settings import Settings, settings
from guard.backoff import BackoffPolicy
from guard.figures import BreakerFigures
from guard.view import Breakers
from record import schema
from record.notices import Notices
from record.pool import PoolerFound, RecordAway, open_pool
from record.schema import WrongSchema
from serving.beside import end
from serving.exposition import Check, exposed
from serving.figures import FIGURES
from serving.garbage import collect_less_often
from serving.logs import log_as_json
from trip.partner import Partner

LOOK_EVERY_S = 1.0

log = logging.getLogger("trips")


async def run(config: Settings) -> None:
    """Hear and look until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await schema.check(config.listening_url)
    async with open_pool(config.database_url, config.connections(), through_pooler=config.is_pooled) as pool:
        seal, notices = Seal(config.seal_key.get_secret_value()).seal, Notices(pool)
        async with (
            notices.telling(),
            Breakers(config.listening_url, config.breaker_policy(), list(Partner)) as breakers,
            connected(config.nats_url, CONSUMER, config.nats_replicas) as broker,
        ):
            ledger = Ledger(pool, broker, notices.tell, seal, Rules.of(config))
            backoff = BackoffPolicy(
                base_s=config.retry_base_s, cap_s=config.retry_cap_s, attempts=config.retry_attempts
            )
            hearing = listen_in_batches(
                broker,
                CONSUMER,
                SUBJECTS,
                ledger.hear,
                backoff,
                most=AT_ONCE,
                expected=(RecordAway,),
                waits_s=waits_s,
            )
            FIGURES.register(BreakerFigures(breakers, tuple(Partner)))
            checks: dict[str, Check] = {
                "broker": partial(ask, broker),
                "postgres": partial(pool.execute, "select"),
            }
            collect_less_often()
            async with exposed(config.host, config.trips_port or 0, checks):
                log.info("ready")
                await _until(stop, hearing, _keep_looking(ledger, broker, breakers))


async def _keep_looking(ledger: Ledger, broker: Broker, breakers: Breakers) -> None:
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        try:
            while await ledger.look(means(broker, breakers)) == AT_ONCE:
                pass
        except RecordAway as error:
            log.warning("trips that stand still are looked at later: %s", error)
        except Exception:
            log.exception("trips that stand still are looked at later")


async def _until(stop: asyncio.Event, *jobs: Coroutine[Any, Any, None]) -> None:
    """Do the jobs, which have no end, until `stop` is set. Raises what a job raises."""
    tasks = [asyncio.create_task(job) for job in (stop.wait(), *jobs)]
    done, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    await end(left, again_s=2 * LEAVE_S)
    for task in done:
        task.result()


def main() -> None:
    """Entry point of the process."""
    log_as_json("trips")
    config = settings()
    if not config.has_broker:
        sys.exit("trips: set NATS_URL and TRIPS_SEAL_KEY")
    try:
        uvloop.run(run(config))
    except (PoolerFound, WrongSchema) as error:
        sys.exit(f"DATABASE_URL: {error}")
