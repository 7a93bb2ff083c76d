"""`make up` from the outside: signals, ports, restarts, and what is left behind; traces among it."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import psutil
import pytest

from stack.chosen import free_ports
from stack.ports import free_port, is_taken
from tests.conftest import ROOT, RunningSystem, environment, running_system
from tests.patience import PATIENCE_S
from trials.orders import Json, order
from trials.polling import until
from trials.receiver import STATUS, Received, Receiver, receiving
from trials.traveller import Traveller

pytestmark = pytest.mark.server


PARTS = [
    "api", "worker-1", "trips", "temporal", "nats", "postgres", "mongo", "redis", "falkordb",
    "hotel", "tour", "flight", "points", "payment",
]  # fmt: skip


async def eventually(condition: Callable[[], Awaitable[bool]], bound_s: float = PATIENCE_S) -> None:
    """Look at the condition until it holds, within a bound."""
    await until(condition, bound_s)


def children(system: RunningSystem) -> list[psutil.Process]:
    """Every process of the system, the supervisor first."""
    supervisor = psutil.Process(system.process.pid)
    return [supervisor, *supervisor.children(recursive=True)]


async def test_a_signal_stops_all_a_restart_finds_the_trip_and_a_kill_leaves_no_child(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    ports = free_ports()
    with receiving() as receiver:
        with running_system(tmp_path / "data", receiver.environment() | SENT_AT_THE_END, ports) as first:
            trip = await a_trip_tried_twice(first.traveller(http))
            await stopped_by_ctrl_c(first)
        is_one_trace(trip, receiver)
    with running_system(tmp_path / "data", {}, ports) as second:
        traveller = second.traveller(http)
        assert await traveller.trip(trip["trip_id"]) == trip
        for step in trip["steps"]:
            reservation = await traveller.reservation(step["name"], trip["trip_id"])
            assert reservation is not None and reservation["status"] == "confirmed"
        running = children(second)[1:]
        second.process.kill()
        _, alive = await asyncio.to_thread(psutil.wait_procs, running, 20)
        assert alive == []


SENT_AT_THE_END = {"OTEL_BSP_SCHEDULE_DELAY": "600000"}
"""What processes trace is sent when they end."""


async def a_trip_tried_twice(traveller: Traveller) -> Json:
    """A confirmed trip, whose flight fails once."""
    await traveller.break_partner("flight", error_rate=1, status=503, verbs=["PUT"], count=1)
    trip = await traveller.book(order(), wait=60)
    assert trip["status"] == "confirmed"
    return trip


def is_one_trace(trip: Json, receiver: Receiver) -> None:
    """One trace has the POST, the workflow below it, and below that each attempt with its call."""
    spans = receiver.of(trip["trip_id"])
    parents = {span.span_id: span for span in spans}
    assert len({span.trace_id for span in spans}) == 1

    def above(span: Received) -> list[str]:
        found = parents.get(span.parent_id)
        return [found.name, *above(found)] if found else []

    workflow = ["RunWorkflow:BookTrip", "StartWorkflow:BookTrip", "POST /trips"]
    holds = [span for span in spans if span.name == "PUT flight"]
    assert sorted(span.attributes[STATUS] for span in holds) == ["201", "503"]
    assert len({span.parent_id for span in holds}) == 2, "an attempt each"
    for hold in holds:
        assert above(hold) == ["RunActivity:reserve_flight", "StartActivity:reserve_flight", *workflow]
    below = {span.name for span in spans if above(span)[-3:] == workflow}
    assert {f"{method} {step['name']}" for step in trip["steps"] for method in ("PUT", "POST")} <= below


async def stopped_by_ctrl_c(system: RunningSystem) -> None:
    """SIGINT to the whole group ends the system within 15 s, with status 0 and nothing left."""
    running = children(system)
    os.killpg(system.process.pid, signal.SIGINT)
    assert await asyncio.to_thread(system.process.wait, 15) == 0
    assert [process for process in running if process.is_running()] == []
    assert [port for port in system.ports.model_dump(exclude_none=True).values() if is_taken(port)] == []
    assert list((system.data_dir / "run").glob("*.pid")) == []


async def test_any_part_survives_being_killed(system: RunningSystem, traveller: Traveller) -> None:
    for name in PARTS:
        killed = system.pid(name)
        os.kill(killed, signal.SIGKILL)

        async def back(name: str = name, killed: int = killed) -> bool:
            try:
                return system.pid(name) != killed
            except FileNotFoundError:
                return False

        await eventually(back)

    async def ready() -> bool:
        try:
            status, answer = await traveller.call("GET", "/dependencies")
            return status == 200 and answer["status"] == "ok"
        except aiohttp.ClientError:
            return False

    await eventually(ready)
    trip = await traveller.book(order(), wait=60)
    assert trip["status"] == "confirmed", trip


def up(data_dir: Path, **told: str) -> "subprocess.CompletedProcess[str]":
    """Run `up` where it cannot come up."""
    env = environment(free_ports(), data_dir, {}) | told
    return subprocess.run(
        [sys.executable, "-m", "stack"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


async def test_a_taken_port_is_named_with_its_holder_and_a_remedy(tmp_path: Path) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        result = await asyncio.to_thread(up, tmp_path / "data", TRIPS_TOUR_PORT=str(port))
    assert result.returncode == 1
    assert f"tour: port {port} is taken by" in result.stderr
    assert f"(process {os.getpid()})" in result.stderr
    assert "TRIPS_TOUR_PORT" in result.stderr
    assert result.stdout == ""


async def test_one_system_a_data_directory(system: RunningSystem) -> None:
    result = await asyncio.to_thread(up, system.data_dir)
    assert result.returncode == 1
    assert "TRIPS_DATA_DIR" in result.stderr


async def test_a_part_that_cannot_start_is_reported_and_leaves_nothing(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    result = await asyncio.to_thread(up, data_dir, DATABASE_URL="postgre://127.0.0.1/trips")
    assert result.returncode == 1
    assert "migrate does not start" in result.stderr
    assert "unsupported driver: postgre" in result.stderr
    marked = [
        p for p in psutil.process_iter(["cmdline"]) if str(data_dir) in " ".join(p.info["cmdline"] or [])
    ]
    assert marked == []
