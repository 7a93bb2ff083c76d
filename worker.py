"""The worker: connects to Temporal, registers workflows and activities, and drains on SIGTERM."""

import asyncio
import logging
import os
import signal
import sys
from contextlib import AsyncExitStack
from datetime import timedelta

import uvloop
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.audit import Auditor
from activities.breakers import BreakerChecks, HealthProbes
from activities.fence import FenceMarks
from activities.journal import Journal
from activities.partners import PartnerCalls
from activities.shared import Shared
from activities.trips import TripRecord
from config.clients import open_clients
from config.settings import Settings, settings
from config.temporal import client_options
from guard.guard import Guard
from guard.view import Breakers
from record import unfinished
from record.notices import Notices
from record.pool import Pool, PoolerFound, RecordAway, open_pool, refuse_pooler
from serving.connections import raise_file_limit
from serving.garbage import collect_less_often
from temporal import attributes
from temporal.schedules import Timetable, ensure
from temporal.takeover import take_over_the_lost
from trip.partner import TASK_QUEUE, Partner
from workflows.audit_stores import AuditStores
from workflows.book_trip import BookTrip
from workflows.probe_partners import ProbePartners

log = logging.getLogger("worker")

DRAIN_S = 6.0
PROBE_LIMIT_S = 20.0
AUDIT_LIMIT_S = 2400.0
"""Longer than its attempts take together."""
WORKFLOW_TASKS = 24
"""How many trips a worker moves on at once. The others wait at Temporal, where they cost nothing.

With more, partners became slow, calls went on as ordinary activities, and each trip cost more."""
OTHER_ACTIVITIES = 50
"""Room for ordinary activities beside the calls to partners, which the bulkheads bound."""

CONNECT_ATTEMPTS = 120
CONNECT_PAUSE_S = 0.5


async def connect() -> Client:
    """Connect as the TEMPORAL_* environment says, and wait about a minute for the server.

    Raises RuntimeError if the server does not answer by then.
    """
    options = client_options()
    for _ in range(CONNECT_ATTEMPTS):
        try:
            return await Client.connect(**options)
        except RuntimeError as error:
            log.info("waiting for Temporal at %s: %s", options["target_host"], error)
            await asyncio.sleep(CONNECT_PAUSE_S)
    raise RuntimeError(f"Temporal does not answer at {options['target_host']}; is TEMPORAL_ADDRESS right?")


def timetables(config: Settings) -> list[Timetable]:
    """What Temporal runs by itself."""
    return [
        Timetable("probe-partners", ProbePartners.__name__, config.probe_interval_s, PROBE_LIMIT_S),
        Timetable("audit-stores", AuditStores.__name__, config.audit_interval_s, AUDIT_LIMIT_S),
    ]


async def keep_in_order(client: Client, pool: Pool, config: Settings) -> None:
    """See to it, once per interval in the whole fleet, that Temporal has lost nothing."""
    while True:
        await asyncio.sleep(config.upkeep_s)
        try:
            if not await unfinished.lease(pool, "upkeep", timedelta(seconds=config.upkeep_s)):
                continue
            await ensure(client, timetables(config), anew=False)
            await attributes.register(client)
            await take_over_the_lost(client, pool, "worker")
        except (RPCError, RecordAway) as error:
            log.warning("what Temporal may have lost is looked for later: %s", error)
        except Exception:
            log.exception("what Temporal may have lost is looked for later")


async def run(config: Settings) -> None:
    """Serve the task queue until SIGTERM or SIGINT, then finish or give back the tasks in flight."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await refuse_pooler(config.listening_url)
    async with AsyncExitStack() as resources:
        pool = await resources.enter_async_context(
            open_pool(config.database_url, through_pooler=config.is_pooled)
        )
        clients = await resources.enter_async_context(open_clients(config.upstreams()))
        breakers = await resources.enter_async_context(
            Breakers(config.listening_url, config.breaker_policy(), list(Partner))
        )
        journal = Journal(pool)
        await resources.enter_async_context(journal.writing())
        notices = Notices(pool)
        await resources.enter_async_context(notices.telling())
        client = await connect()
        await ensure(client, timetables(config), anew=True)
        if missing := await attributes.register(client):
            log.warning("trips cannot be searched for in Temporal by %s", ", ".join(missing))
        backoffs = {partner.value: config.backoff(partner) for partner in Partner}
        guard = Guard(breakers, backoffs, config.retry_budget(), config.calls_at_once)
        shared = Shared(guard, pool, journal, notices)
        worker = Worker(
            client,
            task_queue=TASK_QUEUE,
            workflows=[BookTrip, ProbePartners, AuditStores],
            activities=[
                *PartnerCalls(config, clients, shared).activities(),
                *BreakerChecks(shared).activities(),
                *FenceMarks(pool).activities(),
                *HealthProbes(config, clients, pool).activities(),
                *TripRecord(shared).activities(),
                *Auditor(config).activities(),
            ],
            # Without the sandbox, which costs much CPU. The tests replay every history inside it.
            workflow_runner=UnsandboxedWorkflowRunner(),
            # Run workflows on the worker's own loop: handing a step to a thread costs more than most steps.
            debug_mode=True,
            max_concurrent_workflow_tasks=WORKFLOW_TASKS,
            max_concurrent_activities=len(Partner) * config.calls_at_once + OTHER_ACTIVITIES,
            graceful_shutdown_timeout=timedelta(seconds=DRAIN_S),
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=2),
        )
        collect_less_often()
        async with worker:
            upkeep = asyncio.create_task(keep_in_order(client, pool, config))
            log.info("ready")
            await stop.wait()
            upkeep.cancel()
            log.info("draining, at most %g s", DRAIN_S)


def main() -> None:
    """Entry point of the process."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    # Threads of the SDK's core. With one for each CPU, they wake each other for every message.
    os.environ.setdefault("TOKIO_WORKER_THREADS", "1")
    raise_file_limit()
    try:
        uvloop.run(run(settings()))
    except PoolerFound as error:
        sys.exit(f"DATABASE_URL: {error}")


if __name__ == "__main__":
    main()
