"""The image's processes, run outside of it: its files alone, compose's environment, the hosts replaced."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import aiohttp
import asyncpg
import pytest

from stack import postgres
from stack.ports import free_port
from tests.conftest import RunningSystem
from tests.stack.composition import environment, lay_out
from tests.stack.processes import (
    START_TIMEOUT_S,
    ended,
    healthy,
    make_namespace,
    make_token,
    running,
    started,
    stopped,
)
from tests.stack.test_compose import PARTNERS
from trials.orders import order


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the image's files."""
    place = tmp_path_factory.mktemp("image")
    lay_out(place)
    return place


@pytest.fixture(scope="module")
async def told(image: Path, system: RunningSystem) -> AsyncIterator[dict[str, str]]:
    """What the saga is told, with a namespace and a migrated database of its own."""
    name = f"deploy_{uuid4().hex[:8]}"
    await asyncio.to_thread(make_namespace, system.temporal, name)
    connection = await asyncpg.connect(
        postgres.url(int(system.database_url.split(":")[-1].split("/")[0]), postgres.SUPERUSER), timeout=10
    )
    await connection.execute(f"create database {name} owner trips")
    here = {
        "TRIPS_HOST": "127.0.0.1",
        "TEMPORAL_ADDRESS": system.temporal,
        "TEMPORAL_NAMESPACE": name,
        "DATABASE_URL": f"{system.database_url.rsplit('/', 1)[0]}/{name}?sslmode=disable",
    }
    here |= {f"TRIPS_{partner.upper()}_URL": url for partner, url in system.partners.items()}
    migration = await started(image, "migrate", {"DATABASE_URL": here["DATABASE_URL"]})
    assert await ended(migration, START_TIMEOUT_S) == 0
    yield environment("api") | here
    await connection.execute(f"drop database {name} with (force)")
    await connection.close()


async def _polls(worker: Process) -> None:
    assert worker.stderr is not None
    async with asyncio.timeout(START_TIMEOUT_S):
        while line := await worker.stderr.readline():
            if line.rstrip().endswith(b"ready"):
                return
    raise AssertionError("the worker ended before it was ready")


@pytest.mark.parametrize("name", PARTNERS)
async def test_partner_becomes_healthy_and_ends_on_sigterm(
    name: str, image: Path, system: RunningSystem
) -> None:
    port, prefix = free_port(), f"TRIPS_{name.upper()}"
    here = {f"{prefix}_PORT": str(port), f"{prefix}_ENGINE_URL": system.engines[name]}
    async with running(image, name, environment(name) | here | {"TRIPS_HOST": "127.0.0.1"}) as process:
        await healthy(image, process, name, port)
        assert await stopped(process) == 0


async def test_trip_is_booked_by_the_images_worker_and_front_door(
    image: Path, told: dict[str, str], http: aiohttp.ClientSession
) -> None:
    port = free_port()
    async with running(image, "worker", told) as worker, asyncio.timeout(60):
        await _polls(worker)
        async with running(image, "api", told | {"TRIPS_API_PORT": str(port)}) as api:
            await healthy(image, api, "api", port)
            headers = {"Prefer": "wait=20", "Authorization": f"Bearer {await make_token(image, told)}"}
            url = f"http://127.0.0.1:{port}/trips"
            async with http.post(url, json=order(), headers=headers) as answer:
                trip = await answer.json()
            assert (answer.status, trip["status"]) == (200, "confirmed")
            # uvicorn drains, then hands the signal on to itself.
            assert await stopped(api) in (0, -signal.SIGTERM)
        assert await stopped(worker) == 0


async def test_migrations_can_be_applied_again(image: Path, told: dict[str, str]) -> None:
    process = await started(image, "migrate", {"DATABASE_URL": told["DATABASE_URL"]})
    assert await ended(process, START_TIMEOUT_S) == 0


async def test_health_check_fails_where_nothing_answers(image: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/healthz"
    check = await asyncio.create_subprocess_exec(
        sys.executable, "stack/deploy/answers.py", url, cwd=image, stderr=PIPE
    )
    _, said = await check.communicate()
    assert check.returncode == 1
    assert b"refused" in said
