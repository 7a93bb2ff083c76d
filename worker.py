"""The worker: connects to Temporal, registers workflows and activities, and drains on SIGTERM."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial

import aiohttp
import uvloop
from temporalio.client import Client
from temporalio.runtime import Runtime
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
from config.temporal import client_options, runtime_with_figures
from guard.figures import BreakerFigures
from guard.guard import Guard
from guard.view import Breakers
from record import schema, unfinished
from record.notices import Notices
from record.pool import Pool, PoolerFound, RecordAway, open_pool
from record.schema import WrongSchema
from serving.exposition import Check, exposed, figures_at
from serving.figures import FIGURES
from serving.files import raise_file_limit
from serving.garbage import collect_less_often
from serving.logs import log_as_json
from serving.tracing import tracing_as
from temporal import attributes
from temporal.builds import deployment
from temporal.payloads import walk_once
from temporal.pollers import named, polled
from temporal.schedules import AUDIT_STORES, PROBE_PARTNERS, Timetable, ensure
from temporal.takeover import take_over_the_lost
from trip.partner import AUDIT_QUEUE, TASK_QUEUE, Partner
from workflows.audit_stores import AuditStores
from workflows.probe_partners import ProbePartners
from workflows.registered import WORKFLOWS

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


async def connect(config: Settings, runtime: Runtime) -> Client:
    """Connect as the TEMPORAL_* environment says, and wait about a minute for the server.

    Raises RuntimeError if the server does not answer by then.
    """
    options = client_options(config.codec())
    for _ in range(CONNECT_ATTEMPTS):
        try:
            return await Client.connect(**options, runtime=runtime)
        except RuntimeError as error:
            log.info("waiting for Temporal at %s: %s", options["target_host"], error)
            await asyncio.sleep(CONNECT_PAUSE_S)
    raise RuntimeError(f"Temporal does not answer at {options['target_host']}; is TEMPORAL_ADDRESS right?")


@asynccontextmanager
async def connected(config: Settings, checks: Mapping[str, Check]) -> AsyncIterator[Client]:
    """A client whose SDK counts. While the context is open, the worker's port tells how the worker is."""
    runtime, figures_url = runtime_with_figures()
    client = await connect(config, runtime)
    needed: dict[str, Check] = {"temporal": client.service_client.check_health, **checks}
    async with (
        aiohttp.ClientSession() as http,
        exposed(config.host, config.worker_port or 0, needed, figures_at(http, figures_url)),
    ):
        yield client


def timetables(config: Settings) -> list[Timetable]:
    """What Temporal runs by itself."""
    return [
        Timetable(PROBE_PARTNERS, ProbePartners.__name__, config.probe_interval_s, PROBE_LIMIT_S),
        Timetable(AUDIT_STORES, AuditStores.__name__, config.audit_interval_s, AUDIT_LIMIT_S, AUDIT_QUEUE),
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


def audit_worker(client: Client, config: Settings) -> Worker:
    """What serves the audit's queue: one audit at a time."""
    return Worker(
        client,
        task_queue=AUDIT_QUEUE,
        workflows=[AuditStores],
        activities=Auditor(config).activities(),
        workflow_runner=UnsandboxedWorkflowRunner(),
        debug_mode=True,
        max_cached_workflows=0,
        max_concurrent_workflow_task_polls=1,
        max_concurrent_activities=1,
        max_concurrent_activity_task_polls=1,
        deployment_config=deployment(config.build_id),
    )


async def run_audits(config: Settings) -> None:
    """Serve the audit's queue alone until SIGTERM or SIGINT. An audit that runs begins again elsewhere."""
    stop = stopping()
    async with connected(config, {}) as client, audit_worker(client, config):
        log.info("ready")
        await stop.wait()


async def tell_if_left_out(client: Client, build_id: str) -> None:
    """Say so if new trips go to other workers than those of this build."""
    try:
        queue = await polled(client)
    except RPCError as error:
        log.warning("Temporal does not tell which build is current: %s", error)
        return
    own = build_id or None
    if own not in (queue.current, queue.ramping):
        goes_to = named(queue.current, "workers")
        log.warning("new trips go to %s, and none to this %s", goes_to, named(own))


def stopping() -> asyncio.Event:
    """What SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def run(config: Settings) -> None:
    """Serve trips, and audits too, until SIGTERM or SIGINT. Then finish or give back the tasks in flight."""
    stop = stopping()
    await schema.check(config.listening_url)
    async with AsyncExitStack() as resources:
        pool = await resources.enter_async_context(
            open_pool(config.database_url, config.connections(), through_pooler=config.is_pooled)
        )
        clients = await resources.enter_async_context(open_clients(config.upstreams()))
        breakers = await resources.enter_async_context(
            Breakers(config.listening_url, config.breaker_policy(), list(Partner), fleet_name="worker")
        )
        journal = Journal(pool)
        await resources.enter_async_context(journal.writing())
        notices = Notices(pool)
        await resources.enter_async_context(notices.telling())
        FIGURES.register(BreakerFigures(breakers, tuple(Partner)))
        checks: dict[str, Check] = {"postgres": partial(pool.execute, "select")}
        client = await resources.enter_async_context(connected(config, checks))
        await ensure(client, timetables(config), anew=True)
        if missing := await attributes.register(client):
            log.warning("trips cannot be searched for in Temporal by %s", ", ".join(missing))
        backoffs = {partner.value: config.backoff(partner) for partner in Partner}
        guard = Guard(breakers, backoffs, config.retry_budget(), config.calls_at_once)
        shared = Shared(guard, pool, journal, notices)
        worker = Worker(
            client,
            task_queue=TASK_QUEUE,
            workflows=WORKFLOWS,
            activities=[
                *PartnerCalls(config, clients, shared).activities(),
                *BreakerChecks(shared).activities(),
                *FenceMarks(pool).activities(),
                *HealthProbes(config, clients, pool).activities(),
                *TripRecord(shared).activities(),
            ],
            # Without the sandbox, which costs much CPU. The tests replay every history inside it.
            workflow_runner=UnsandboxedWorkflowRunner(),
            # Run workflows on the worker's own loop: handing a step to a thread costs more than most steps.
            debug_mode=True,
            max_concurrent_workflow_tasks=WORKFLOW_TASKS,
            max_concurrent_activities=len(Partner) * config.calls_at_once + OTHER_ACTIVITIES,
            deployment_config=deployment(config.build_id),
            graceful_shutdown_timeout=timedelta(seconds=DRAIN_S),
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=2),
        )
        collect_less_often()
        walk_once()
        await tell_if_left_out(client, config.build_id)
        if config.queues == "all":
            await resources.enter_async_context(audit_worker(client, config))
        async with worker:
            upkeep = asyncio.create_task(keep_in_order(client, pool, config))
            log.info("ready")
            await stop.wait()
            upkeep.cancel()
            log.info("draining, at most %g s", DRAIN_S)


def main() -> None:
    """Entry point of the process."""
    log_as_json("worker")
    # Threads of the SDK's core. With one for each CPU, they wake each other for every message.
    os.environ.setdefault("TOKIO_WORKER_THREADS", "1")
    raise_file_limit()
    try:
        config = settings()
        with tracing_as("trips-worker"):
            uvloop.run(run_audits(config) if config.queues == "audits" else run(config))
    except (PoolerFound, WrongSchema) as error:
        sys.exit(f"DATABASE_URL: {error}")


if __name__ == "__main__":
    main()
