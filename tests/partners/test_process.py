"""How a partner's process starts and ends."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process

import pytest

from stack.ports import free_port

pytestmark = pytest.mark.server

PROGRAM = (sys.executable, "-m", "partners")


async def run(*arguments: str, **settings: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *PROGRAM, *arguments, env={**os.environ, **settings}, stderr=PIPE
    )


@pytest.mark.parametrize("arguments", [[], ["spaceship"], ["hotel", "tour"]])
async def test_an_unknown_partner_is_refused(arguments: list[str]) -> None:
    process = await run(*arguments)
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert b"usage" in errors


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"TRIPS_TOUR_ENGINE_URL": "postgresql://x", "TRIPS_TOUR_PORT": "x"}, b"TRIPS_TOUR_PORT"),
        ({"TRIPS_TOUR_ENGINE_URL": "postgresql://x", "TRIPS_HOLD_S": "0"}, b"TRIPS_HOLD_S"),
        ({}, b"TRIPS_TOUR_ENGINE_URL"),
    ],
)
async def test_a_bad_setting_is_named(settings: dict[str, str], named: bytes) -> None:
    process = await run("tour", **settings)
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert named in errors
    assert b"Traceback" not in errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_start_that_waits_for_its_engine_can_be_stopped(number: signal.Signals) -> None:
    nobody = f"postgresql://tour@127.0.0.1:{free_port()}/tour"
    process = await run("tour", TRIPS_TOUR_ENGINE_URL=nobody, TRIPS_TOUR_PORT=str(free_port()))
    assert process.stderr is not None
    assert b"attempt 1" in await process.stderr.readline()
    process.send_signal(number)
    _, errors = await process.communicate()
    assert process.returncode == 0
    assert b"Traceback" not in errors
