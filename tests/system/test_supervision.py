"""`make up` from the outside: signals, ports, restarts, and what is left behind."""

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

from stack.ports import free_port, is_taken
from stack.system import free_ports
from tests.conftest import ROOT, RunningSystem, environment, running_system
from trials.orders import order
from trials.traveller import Traveller

pytestmark = pytest.mark.server

BOUND_S = 30.0
LOOK_EVERY_S = 0.1

PARTS = [
    "api", "worker-1", "temporal", "postgres", "mongo", "redis", "falkordb",
    "hotel", "tour", "flight", "points", "payment",
]  # fmt: skip


async def eventually(condition: Callable[[], Awaitable[bool]], bound_s: float = BOUND_S) -> None:
    """Look at the condition until it holds, within a bound."""
    async with asyncio.timeout(bound_s):
        while not await condition():
            await asyncio.sleep(LOOK_EVERY_S)


def children(system: RunningSystem) -> list[psutil.Process]:
    """Every process of the system, the supervisor first."""
    supervisor = psutil.Process(system.process.pid)
    return [supervisor, *supervisor.children(recursive=True)]


async def test_a_signal_stops_all_a_restart_finds_the_trip_and_a_kill_leaves_no_child(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    ports = free_ports()
    with running_system(tmp_path / "data", {}, ports) as first:
        trip = await first.traveller(http).book(order(), wait=10)
        await stopped_by_ctrl_c(first)
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


async def stopped_by_ctrl_c(system: RunningSystem) -> None:
    """SIGINT to the whole group ends the system within 15 s, with status 0 and nothing left."""
    running = children(system)
    os.killpg(system.process.pid, signal.SIGINT)
    assert await asyncio.to_thread(system.process.wait, 15) == 0
    assert [process for process in running if process.is_running()] == []
    assert [port for port in system.ports.model_dump().values() if is_taken(port)] == []
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
            return (await traveller.call("GET", "/readyz"))[0] == 200
        except aiohttp.ClientError:
            return False

    await eventually(ready)
    trip = await traveller.book(order(), wait=30)
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
        timeout=60,
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
    result = await asyncio.to_thread(up, data_dir, TRIPS_HOLD_S="never")
    assert result.returncode == 1
    assert "TRIPS_HOLD_S" in result.stderr.upper()
    marked = [
        p for p in psutil.process_iter(["cmdline"]) if str(data_dir) in " ".join(p.info["cmdline"] or [])
    ]
    assert marked == []
