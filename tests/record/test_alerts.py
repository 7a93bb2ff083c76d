"""Every alert fires if its cause is there, and not without it, by figures that were really scraped.

Each cause is made on servers of these tests' own: a record, a Temporal server, a small disk.
"""

import asyncio
import contextlib
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector
from temporalio import activity, workflow
from temporalio.client import Client, Schedule, ScheduleActionStartWorkflow, ScheduleSpec, WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from api.metrics import TemporalFigures, of_record
from audit.summary import AuditSummary
from config.codec import Codec, NotDecoded
from config.settings import Settings
from config.temporal import data_converter, runtime_with_figures
from guard.figures import BreakerFigures
from guard.models import Tally
from guard.store import Store
from guard.view import Breakers
from record import trips
from record.pool import Pool
from serving.figures import as_text
from stack.ports import free_port
from temporal.schedules import AUDIT_STORES, PROBE_PARTNERS
from temporal.watch import Seen, look
from tests.guard.own_postgres import OwnPostgres
from tests.partners_engines.test_full_disk import filled, small_disk
from tests.prometheus import (
    NODE_EXPORTER,
    Run,
    Scrape,
    alerts,
    firing,
    needs_promtool,
    parsed,
    scraped,
)
from tests.record.empty import empty_record
from tests.record.test_accepting import request
from tests.system.own_temporal import OwnTemporal, own_temporal
from trials.polling import until
from trip.partner import TASK_QUEUE, Partner
from trip.trip import Booking, TripStatus, new_trip
from workflows.audit_stores import AuditStores

pytestmark = [pytest.mark.server, needs_promtool]

LONG_ENOUGH_S = 2.5
"""A task that waits so long has waited too long."""


@workflow.defn(name="Changing")
class Before:
    """Waits for a signal beside a timer."""

    def __init__(self) -> None:
        self.told = False

    @workflow.run
    async def run(self) -> None:
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(lambda: self.told, timeout=timedelta(hours=1))
        await workflow.sleep(timedelta(hours=1))

    @workflow.signal
    def tell(self) -> None:
        self.told = True


@workflow.defn(name="Changing")
class After(Before):
    """The same without the timer, which its histories have."""

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.told)

    @workflow.signal
    def tell(self) -> None:
        self.told = True


@activity.defn(name="audit_stores")
async def audit_that_finds_something() -> AuditSummary:
    return AuditSummary(
        trips=1,
        reservations=1,
        in_flight=0,
        needs_attention=0,
        discrepancies=1,
        is_behind=False,
        named=["wrong_total T: 1"],
    )


def told_by(*collectors: Collector, job: str = "trips-api") -> Scrape:
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    return parsed(generate_latest(registry).decode(), job)


@pytest.fixture
async def record(server: OwnPostgres) -> AsyncIterator[Pool]:
    async with empty_record(server.database_url) as way, way.open() as pool:
        yield pool


async def of_the_record(pool: Pool) -> Scrape:
    return told_by(await of_record(pool, Settings(), ["orchestration", "choreography"]))


def fired(calm: Scrape, **caused: Scrape) -> dict[str, set[str]]:
    """The alerts that fire if the figures change from `calm`, by the name of the change."""
    runs = {"calm": Run(calm, calm)} | {name: Run(calm, after) for name, after in caused.items()}
    found = firing(runs)
    assert found.pop("calm") == set()
    return found


async def test_what_the_record_tells(record: Pool) -> None:
    booked = await trips.accept(record, request())
    assert isinstance(booked, Booking)
    calm = await of_the_record(record)
    await record.execute("update trips set created_at = created_at - interval '2 minutes'")
    old = await of_the_record(record)
    stuck = new_trip(booked).model_copy(update={"status": TripStatus.NEEDS_ATTENTION})
    await trips.save(record, stuck, 1)
    needy = await of_the_record(record)
    policy = Settings().breaker_policy()
    failures = Tally(1, calls=policy.failures_in_a_row, failures=policy.failures_in_a_row)
    await Store(record, policy).record(Partner("flight"), failures)
    assert fired(calm, old=old, needy=needy, broken=await of_the_record(record)) == {
        "old": {"TripsBacklogIsOld"},
        "needy": {"TripsNeedAttention"},
        "broken": {"TripsNeedAttention", "TripsBreakerIsOpen"},
    }


async def test_what_a_process_tells(server: OwnPostgres) -> None:
    partners, policy = tuple(Partner), Settings().breaker_policy()
    nowhere = f"postgresql://postgres@127.0.0.1:{free_port()}/postgres"
    async with (
        Breakers(server.database_url, policy, partners, call_limit_s=10) as there,
        Breakers(nowhere, policy, partners) as away,
        aiohttp.ClientSession() as http,
    ):
        calm = told_by(BreakerFigures(there, partners)) + parsed(as_text().decode(), "trips-worker")
        alone = told_by(BreakerFigures(away, partners))
        gone = await scraped(http, f"http://127.0.0.1:{free_port()}/metrics", "trips-api")
    payload = await Codec({"one": b"1" * 32}).encode(
        data_converter(None).payload_converter.to_payloads(["x"])
    )
    with pytest.raises(NotDecoded):
        await Codec({"two": b"2" * 32}).decode(payload)
    assert fired(calm, alone=alone, gone=gone, coded=parsed(as_text().decode(), "trips-worker")) == {
        "alone": {"TripsBreakerStoreIsAway"},
        "gone": {"TripsProcessIsDown"},
        "coded": {"TripsCodecFails"},
    }


@pytest.fixture
def temporal() -> Iterator[OwnTemporal]:
    with (
        tempfile.TemporaryDirectory(prefix="alerts-", ignore_cleanup_errors=True) as place,
        own_temporal(Path(place)) as started,
    ):
        yield started


async def test_what_temporal_tells(temporal: OwnTemporal) -> None:
    runtime, url = runtime_with_figures()
    client = await Client.connect(temporal.address, runtime=runtime, data_converter=data_converter(None))
    hour = Settings().audit_interval_s
    empty = told_by(TemporalFigures(await look(client), hour))
    for schedule_id, named in (PROBE_PARTNERS, "Changing"), (AUDIT_STORES, AuditStores.__name__):
        action = ScheduleActionStartWorkflow(named, id=schedule_id, task_queue=TASK_QUEUE)
        await client.create_schedule(schedule_id, Schedule(action=action, spec=ScheduleSpec()))
    serving = partial(
        Worker, client, task_queue=TASK_QUEUE, activities=[audit_that_finds_something],
        workflow_runner=UnsandboxedWorkflowRunner(), max_cached_workflows=0,
    )  # fmt: skip
    async with aiohttp.ClientSession() as http:
        of_sdk = partial(scraped, http, f"{url}/metrics", "trips-worker", "two")
        async with serving(workflows=[Before, AuditStores]):
            await until(partial(was_run, await begun(client, "at-once")))
        calm = await of_sdk()
        changing = await begun(client, "late")
        await asyncio.sleep(LONG_ENOUGH_S)
        async with serving(workflows=[Before, AuditStores]):
            await until(partial(was_run, changing))
            slow = await of_sdk()
            ready = await until(partial(polled, client))
            assert ready is not None
            calm += told_by(TemporalFigures(ready, hour))
            await client.get_schedule_handle(AUDIT_STORES).trigger()
            seen = await until(partial(audited, client))
        async with serving(workflows=[After, AuditStores]):
            await changing.signal("tell")
            astray = await until(partial(has_failed_tasks, of_sdk))
    assert seen is not None and astray is not None
    failing_audit = told_by(TemporalFigures(seen, hour))
    stale = told_by(TemporalFigures(replace(seen, audit_is_clean=None), 0.001))
    away = told_by(TemporalFigures(Seen(), hour))
    found = fired(calm, empty=empty, slow=slow, failing=failing_audit, stale=stale, away=away, astray=astray)
    assert found.pop("astray") >= {"TripsNondeterminism"}
    assert found == {
        "empty": {"TripsNobodyPolls", "TripsScheduleIsMissing"},
        "slow": {"TripsTasksWait"},
        "failing": {"TripsAuditFails"},
        "stale": {"TripsAuditIsStale"},
        "away": {"TripsTemporalIsAway"},
    }


async def begun(client: Client, workflow_id: str) -> WorkflowHandle[Any, Any]:
    return await client.start_workflow("Changing", id=workflow_id, task_queue=TASK_QUEUE)


async def was_run(handle: WorkflowHandle[Any, Any]) -> bool:
    history = await handle.fetch_history()
    return any(event.HasField("timer_started_event_attributes") for event in history.events)


async def polled(client: Client) -> Seen | None:
    seen = await look(client)
    return seen if all(seen.pollers.values()) else None


async def audited(client: Client) -> Seen | None:
    seen = await look(client)
    return None if seen.audit_is_clean is None else seen


async def has_failed_tasks(figures: Callable[[], Awaitable[Scrape]]) -> Scrape | None:
    found = await figures()
    failed = [one for one in found if one.name == "temporal_workflow_task_execution_failed_total"]
    return found if failed else None


async def test_what_the_node_exporter_tells() -> None:
    if NODE_EXPORTER is None:
        pytest.skip("no prometheus-node-exporter: apt-get install prometheus-node-exporter")
    port = free_port()
    options = [
        "--collector.disable-defaults",
        "--collector.filesystem",
        "--collector.filesystem.mount-points-exclude=^/(proc|sys)/.+",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (
        small_disk(4) as disk,
        subprocess.Popen([NODE_EXPORTER, *options], stderr=subprocess.DEVNULL) as exporter,  # noqa: ASYNC220
    ):
        try:
            async with aiohttp.ClientSession() as http:
                of_disk = partial(told_of_disk, http, f"http://127.0.0.1:{port}/metrics", str(disk))
                calm = await until(of_disk)
                with filled(disk):
                    full = await of_disk()
        finally:
            exporter.kill()
    assert fired(calm, full=full) == {"full": {"TripsDiskIsFull"}}


async def told_of_disk(http: aiohttp.ClientSession, url: str, disk: str) -> Scrape:
    """Nothing until the exporter serves."""
    found = await scraped(http, url, "node")
    return [one for one in found if ("mountpoint", disk) in one.labels]


def test_the_cause_of_each_alert_is_made() -> None:
    text = Path(__file__).read_text()
    assert [name for name in alerts() if f'"{name}"' not in text] == []
