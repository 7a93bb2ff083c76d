"""What operators and outages do to workflows: record, partners and workflow agree in the end."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import asyncpg
import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.service import RPCError

from audit.endpoints import Endpoints
from audit.run import audit
from temporal.names import NAMES
from temporal.workflows import GOES_ON, WorkflowState, described, listed
from tests.conftest import ROOT, RunningSystem, running_system
from tests.patience import PATIENCE_S
from tests.replay.ways_out import ENVIRONMENT
from tests.system.freezing import frozen, kill
from tests.system.own_temporal import OwnTemporal, own_temporal
from trials.orders import Json, bench_order
from trials.traveller import Traveller

pytestmark = pytest.mark.server

TAKEN = {"held", "confirmed"}
UPKEEP_S = 1
DECLINED = {"card_token": "tok_declined", "currency": "JPY"}
NEXT_DEFAULT = Path(__file__).parent / "next_default"


@dataclass(frozen=True)
class Ground:
    """A system beside a Temporal server that can be taken from it."""

    system: RunningSystem
    temporal: OwnTemporal
    traveller: Traveller
    client: Client

    async def stuck_before_capture(self) -> str:
        """A trip with a hotel held, and a flight that gives no answer for more than ten seconds."""
        await self.traveller.break_partner("flight", latency_ms=60_000, verbs=["PUT"])
        trip_id = str((await self.traveller.book(bench_order()))["trip_id"])
        async with asyncio.timeout(PATIENCE_S):
            while (await self.traveller.trip(trip_id))["steps"][0]["status"] != "held":
                await asyncio.sleep(0.05)
        return trip_id

    async def ends(self, trip_id: str, status: str) -> Json:
        """The trip, which ends so within a minute. Its partners and its workflow say the same."""
        async with asyncio.timeout(PATIENCE_S):
            trip = await self.traveller.until(trip_id)
        assert trip["status"] == status, trip
        for step in trip["steps"]:
            reservation = await self.traveller.reservation(step["name"], trip_id)
            stands = reservation and reservation["status"]
            assert (stands == "confirmed") if status == "confirmed" else (stands not in TAKEN), (step, stands)
        await self.assert_workflow_says(trip_id, status)
        return trip

    async def assert_workflow_says(self, trip_id: str, status: str) -> None:
        """Its latest run has ended, and if nobody terminated that one, so as the trip did."""
        async with asyncio.timeout(PATIENCE_S):
            while (await described(self.client, [trip_id]))[trip_id] in GOES_ON:
                await asyncio.sleep(0.05)
        if (await described(self.client, [trip_id]))[trip_id] is WorkflowState.COMPLETED:
            result: Json = await self.client.get_workflow_handle(trip_id).result()
            assert result["status"] == status

    async def assert_audit_is_clean(self) -> None:
        report = await audit(Endpoints.of_system(self.places), pause_s=0.2)
        assert report.discrepancies == []

    @property
    def places(self) -> dict[str, object]:
        """As `stack.json` says them."""
        system = self.system
        return {
            "database_url": system.database_url, "partners": system.partners, "temporal": system.temporal,
        }  # fmt: skip

    def record(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run `python -m record …` beside the system."""
        return subprocess.run(
            [sys.executable, "-m", "record", *words],
            cwd=ROOT, env=os.environ | {"TRIPS_DATA_DIR": str(self.system.data_dir)},
            capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnTemporal]:
    with own_temporal(tmp_path_factory.mktemp("temporal")) as started:
        yield started


@pytest.fixture(scope="module")
def own_system(temporal: OwnTemporal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    told = ENVIRONMENT | {
        "TEMPORAL_ADDRESS": temporal.address,
        "TRIPS_UPKEEP_S": str(UPKEEP_S),
        "TRIPS_HOLD_S": "120",
        "TRIPS_PROBE_INTERVAL_S": "1",
        "PYTHONPATH": str(NEXT_DEFAULT),
    }
    with running_system(tmp_path_factory.mktemp("lost") / "data", told) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def ground(own_system: RunningSystem, temporal: OwnTemporal) -> AsyncIterator[Ground]:
    client = await Client.connect(temporal.address, data_converter=own_system.converter())
    async with aiohttp.ClientSession() as http:
        traveller = own_system.traveller(http)
        yield Ground(own_system, temporal, traveller, client)
        for partner in own_system.partners:
            await traveller.mend_partner(partner)


def taken_over(trip: Json, who: str = "worker") -> list[Json]:
    """The take-overs that the trip tells of."""
    return [one for one in trip["interventions"] if one["action"] == "take_over" and one["who"] == who]


async def test_terminated_before_the_capture_it_is_undone(ground: Ground) -> None:
    trip_id = await ground.stuck_before_capture()
    await ground.temporal.command("workflow", "terminate", "-w", trip_id, "--reason", "a test")
    trip = await ground.ends(trip_id, "failed")
    assert trip["failure"]["code"] == "workflow_lost"
    assert [one["note"] for one in taken_over(trip)] == ["the trip's workflow was terminated"]
    assert {step["status"] for step in trip["steps"]} == {"released"}
    assert trip["steps"][0]["reference"] is not None


async def test_terminated_after_the_capture_it_is_seen_through(ground: Ground) -> None:
    await ground.traveller.break_partner("tour", error_rate=1, status=503, verbs=["confirm"])
    trip_id = (await ground.traveller.book(bench_order()))["trip_id"]
    await ground.traveller.until(trip_id, "needs_attention")
    await ground.temporal.command("workflow", "terminate", "-w", trip_id)
    await ground.traveller.mend_partner("tour")
    trip = await ground.ends(trip_id, "confirmed")
    assert (trip["failure"], len(taken_over(trip))) == (None, 1)


async def test_terminated_amid_its_undo_it_keeps_its_reason(ground: Ground) -> None:
    await ground.traveller.break_partner("hotel", error_rate=1, status=503, verbs=["DELETE"])
    trip_id = (await ground.traveller.book(bench_order(payment=DECLINED)))["trip_id"]
    await ground.traveller.until(trip_id, "needs_attention")
    for times in (1, 2):
        await ground.temporal.command("workflow", "terminate", "-w", trip_id)
        async with asyncio.timeout(PATIENCE_S):
            while len(taken_over(await ground.traveller.until(trip_id, "needs_attention"))) < times:
                await asyncio.sleep(0.05)
    await ground.traveller.mend_partner("hotel")
    trip = await ground.ends(trip_id, "failed")
    assert trip["failure"]["code"] == "declined"


async def test_a_trip_that_was_ended_is_not_undone_if_the_record_lost_its_last_writes(ground: Ground) -> None:
    """As after a failover to a standby that lags behind."""
    trip = await ground.traveller.book(bench_order(), wait=60)
    connection = await asyncpg.connect(ground.system.database_url)
    try:
        await connection.execute(
            "delete from trip_events where trip_id = $1 and version > 0", trip["trip_id"]
        )
        await connection.execute(
            """
            update trips set status = 'booking', sending = 'begun', version = 0, trip = e.trip
            from trip_events e where e.trip_id = trips.trip_id and trips.trip_id = $1
            """,
            trip["trip_id"],
        )
    finally:
        await connection.close()
    again = await ground.ends(trip["trip_id"], "confirmed")
    assert (again["steps"], again["total"], taken_over(again)) == (trip["steps"], trip["total"], [])


async def test_deleted_it_is_undone(ground: Ground) -> None:
    trip_id = await ground.stuck_before_capture()
    await ground.temporal.command("workflow", "delete", "-w", trip_id, "--yes")
    trip = await ground.ends(trip_id, "failed")
    assert (trip["failure"]["code"], len(taken_over(trip))) == ("workflow_lost", 1)


@pytest.mark.parametrize(("verb", "more", "status", "code"), [
    ("terminate", (), "failed", "workflow_lost"),
    ("cancel", (), "cancelled", None),
    ("reset", ("--type", "FirstWorkflowTask"), "confirmed", None),
])  # fmt: skip
async def test_a_batch_operation(
    ground: Ground, verb: str, more: tuple[str, ...], status: str, code: str | None
) -> None:
    ids = [await ground.stuck_before_capture() for _ in range(3)]
    quoted = ", ".join(f"'{trip_id}'" for trip_id in ids)
    which = ("--query", f"WorkflowId in ({quoted})", "--yes", "--reason", "a test")
    await ground.temporal.command("workflow", verb, *which, *more)
    if status == "confirmed":
        await ground.traveller.mend_partner("flight")
    for trip_id in ids:
        trip = await ground.ends(trip_id, status)
        assert (trip["failure"] and trip["failure"]["code"]) == code
    await ground.assert_audit_is_clean()


async def test_terminated_and_then_reset(ground: Ground) -> None:
    trip_id = await ground.stuck_before_capture()
    await ground.temporal.command("workflow", "terminate", "-w", trip_id)
    again = ("--type", "LastWorkflowTask", "--reason", "a test", "-w", trip_id)
    await ground.temporal.command("workflow", "reset", *again)
    await ground.ends(trip_id, "failed")
    await ground.assert_audit_is_clean()


async def test_a_paused_workflow_is_no_lost_one(ground: Ground) -> None:
    trip_id = await ground.stuck_before_capture()
    await ground.temporal.command("workflow", "pause", "-w", trip_id)
    assert await described(ground.client, [trip_id]) == {trip_id: WorkflowState.PAUSED}
    await ground.assert_audit_is_clean()
    await ground.traveller.mend_partner("flight")
    restart = ground.record("restart", trip_id)
    assert (restart.returncode, restart.stdout) == (0, f"{trip_id}: left as it is; its workflow is paused\n")
    await ground.temporal.command("workflow", "unpause", "-w", trip_id)
    trip = await ground.ends(trip_id, "confirmed")
    assert trip["interventions"] == []


async def test_an_activity_is_reset_that_was_put_off(ground: Ground) -> None:
    await ground.traveller.break_partner("flight", error_rate=1, status=503, verbs=["PUT"], count=1)
    await ground.traveller.break_partner("hotel", error_rate=1, status=503, verbs=["DELETE"])
    trip_id = (await ground.traveller.book(bench_order(payment=DECLINED)))["trip_id"]
    await ground.traveller.until(trip_id, "needs_attention")
    await ground.traveller.override_breaker("hotel", "open")
    pending = await until_put_off(ground, trip_id)
    await ground.temporal.command("activity", "reset", "-w", trip_id, "--activity-id", pending)
    await ground.traveller.mend_partner("hotel")
    await ground.traveller.override_breaker("hotel", None)
    await ground.ends(trip_id, "failed")


async def until_put_off(ground: Ground, trip_id: str) -> str:
    """The id of the trip's pending call, once its attempts are put off by the breaker."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = await ground.client.get_workflow_handle(trip_id).describe()
            for activity in found.raw_description.pending_activities:
                failure = await ground.client.data_converter.decode_failure(activity.last_failure)
                if "open" in str(failure):
                    return str(activity.activity_id)
            await asyncio.sleep(0.05)


async def test_a_schedule_goes_on_after_a_stuck_run_and_stays_paused(ground: Ground) -> None:
    with frozen(ground.system, "worker-1"):
        stuck = await running_probe(ground)
        await ground.temporal.command("workflow", "pause", "-w", stuck)
    started = time.monotonic()
    while (later := await running_probe(ground, any_state=True)) == stuck:
        assert time.monotonic() < started + 45
        await asyncio.sleep(0.2)
    assert later > stuck
    await ground.temporal.command(
        "schedule", "toggle", "--pause", "-s", "probe-partners", "--reason", "night"
    )
    await kill(ground.system, "worker-1")
    trip = await ground.traveller.book(bench_order(), wait=60)
    assert trip["status"] == "confirmed"
    handle = ground.client.get_schedule_handle("probe-partners")
    assert (await handle.describe()).schedule.state.paused
    await handle.delete()
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                assert not (await handle.describe()).schedule.state.paused
                break
            except RPCError:
                await asyncio.sleep(0.1)


async def running_probe(ground: Ground, *, any_state: bool = False) -> str:
    """The id of the newest run of the probe; one that goes on, or any."""
    query = "WorkflowType = 'ProbePartners'" + ("" if any_state else " and ExecutionStatus = 'Running'")
    async with asyncio.timeout(PATIENCE_S):
        while True:
            ids = [workflow_id async for workflow_id, _ in listed(ground.client, query)]
            if ids:
                return max(ids)
            await asyncio.sleep(0.05)


async def test_temporals_database_is_lost_amid_ten_trips(ground: Ground) -> None:
    traveller = ground.traveller
    await traveller.break_partner("tour", error_rate=1, status=503, verbs=["confirm"])
    await traveller.break_partner("hotel", error_rate=1, status=503, verbs=["DELETE"])
    captured = [str((await traveller.book(bench_order()))["trip_id"]) for _ in range(2)]
    refused = [str((await traveller.book(bench_order(payment=DECLINED)))["trip_id"]) for _ in range(2)]
    for trip_id in captured + refused:
        await traveller.until(trip_id, "needs_attention")
    held = [await ground.stuck_before_capture() for _ in range(6)]
    named = [captured[0], refused[0], held[0]]
    with frozen(ground.system, "worker-1"):
        ground.temporal.stop()
        assert ground.record("restart", "--lost").returncode == 2
        ground.temporal.lose_database()
        ground.temporal.start()
        restart = ground.record("restart", *named)
        assert restart.returncode == 0, restart.stderr
        assert restart.stdout == "".join(
            f"{trip_id}: taken over; its workflow was missing\n" for trip_id in named
        )
    for partner in ("tour", "hotel", "flight"):
        await traveller.mend_partner(partner)
    ended = [await ground.ends(trip_id, "confirmed") for trip_id in captured]
    ended += [await ground.ends(trip_id, "failed") for trip_id in refused + held]
    codes = [trip["failure"] and trip["failure"]["code"] for trip in ended]
    assert codes == [None] * 2 + ["declined"] * 2 + ["workflow_lost"] * 6
    who = {trip["trip_id"]: [one["who"] for one in trip["interventions"]] for trip in ended}
    assert who == {trip: ["record restart" if trip in named else "worker"] for trip in who}
    lost = ground.record("restart", "--lost")
    assert (lost.returncode, lost.stdout) == (0, "0 taken over\n")
    assert ground.record("restart", held[0]).returncode == 1
    await ground.assert_audit_is_clean()
    for schedule in ("probe-partners", "audit-stores"):
        await ground.client.get_schedule_handle(schedule).describe()


async def test_no_trip_needs_the_search_attributes(ground: Ground) -> None:
    await ground.traveller.break_partner("hotel", error_rate=1, status=503, verbs=["DELETE"])
    under_way = (await ground.traveller.book(bench_order(payment=DECLINED)))["trip_id"]
    await ground.traveller.until(under_way, "needs_attention")
    with frozen(ground.system, "worker-1"):
        for name in NAMES:
            words = ("operator", "search-attribute", "remove", "--name", name, "--yes")
            await ground.temporal.command(*words)
        await ground.client.get_schedule_handle("audit-stores").delete()
        await until_ready(ground, search_attributes=f"the namespace lacks {', '.join(NAMES)}")
        await until_ready(ground, schedules="the namespace has no schedule audit-stores")
        trip_id = (await ground.traveller.book(bench_order(payment=DECLINED)))["trip_id"]
        async with asyncio.timeout(PATIENCE_S):
            while (await described(ground.client, [trip_id]))[trip_id] is not WorkflowState.RUNNING:
                await asyncio.sleep(0.05)
    await ground.traveller.mend_partner("hotel")
    for one in (under_way, trip_id):
        assert (await ground.ends(one, "failed"))["failure"]["code"] == "declined"
    await until_ready(ground, search_attributes="ok", schedules="ok")


async def until_ready(ground: Ground, **says: str) -> None:
    """Readiness says so of what is named."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            _, body = await ground.traveller.call("GET", "/readyz")
            if says.items() <= body["dependencies"].items():
                return
            await asyncio.sleep(0.05)
