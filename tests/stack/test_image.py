"""The image's processes, run outside of it: its files alone, compose's environment, the hosts replaced."""

import asyncio
import contextlib
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import aiohttp
import asyncpg
import pytest

from stack.ports import free_port
from tests.conftest import RunningSystem
from tests.haproxy import haproxy, needs_haproxy
from tests.patience import PATIENCE_S
from tests.stack.composition import environment, lay_out
from tests.stack.processes import (
    ended,
    healthy,
    make_namespace,
    make_token,
    running,
    started,
    stopped,
)
from tests.stack.test_compose import PARTNERS
from trials.orders import bench_order, order
from trials.polling import until
from trials.traveller import Traveller

PACE_S = 0.1
BOOKERS = 4
BOOKED_AFTER = 10
WORKERS = 3
"""So many come while trips are booked, and as many go."""


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
    connection = await asyncpg.connect(system.superuser_url, timeout=PATIENCE_S)
    await connection.execute(f"create database {name} owner trips")
    here = {
        "TRIPS_HOST": "127.0.0.1",
        "TEMPORAL_ADDRESS": system.temporal,
        "TEMPORAL_NAMESPACE": name,
        "DATABASE_URL": f"{system.database_url.rsplit('/', 1)[0]}/{name}?sslmode=disable",
    }
    here |= {f"TRIPS_{partner.upper()}_URL": url for partner, url in system.partners.items()}
    migration = await started(image, "migrate", {"DATABASE_URL": here["DATABASE_URL"]})
    assert await ended(migration, PATIENCE_S) == 0
    yield environment("api") | here
    await connection.execute(f"drop database {name} with (force)")
    await connection.close()


@pytest.mark.parametrize("name", PARTNERS)
async def test_partner_becomes_healthy_and_ends_on_sigterm(
    name: str, image: Path, system: RunningSystem
) -> None:
    port, prefix = free_port(), f"TRIPS_{name.upper()}"
    here = {f"{prefix}_PORT": str(port), f"{prefix}_ENGINE_URL": system.engines[name]}
    async with running(image, name, environment(name) | here | {"TRIPS_HOST": "127.0.0.1"}) as process:
        await healthy(image, process, name, port)
        assert await stopped(process) == 0


@contextlib.asynccontextmanager
async def _worker(image: Path, told: dict[str, str]) -> AsyncIterator[Process]:
    port = free_port()
    async with running(image, "worker", told | {"TRIPS_WORKER_PORT": str(port)}) as process:
        await healthy(image, process, "worker", port)
        yield process


@contextlib.asynccontextmanager
async def _front_door(image: Path, told: dict[str, str], port: int) -> AsyncIterator[Process]:
    async with running(image, "api", told | {"TRIPS_API_PORT": str(port)}) as process:
        await healthy(image, process, "api", port)
        yield process


async def test_trip_is_booked_by_the_images_worker_and_front_door(
    image: Path, told: dict[str, str], http: aiohttp.ClientSession
) -> None:
    port = free_port()
    async with _worker(image, told) as worker, _front_door(image, told, port) as api:
        traveller = Traveller(http, f"http://127.0.0.1:{port}", {}, await make_token(image, told))
        assert (await traveller.book(order(), wait=60))["status"] == "confirmed"
        # uvicorn drains, then hands the signal on to itself.
        assert await stopped(api) in (0, -signal.SIGTERM)
        assert await stopped(worker) == 0


@needs_haproxy
@pytest.mark.timeout(300)  # it starts six processes, one after another
async def test_no_trip_is_lost_while_front_doors_and_workers_come_and_go(
    image: Path, told: dict[str, str], http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    ports = (free_port(), free_port())
    token = await make_token(image, told)
    async with contextlib.AsyncExitStack() as stack:
        worker = await stack.enter_async_context(_worker(image, told))
        doors = [await stack.enter_async_context(_front_door(image, told, port)) for port in ports]
        proxy = await stack.enter_async_context(haproxy(tmp_path, ports))
        traveller = Traveller(http, proxy, {}, token)
        enough_booked = asyncio.Event()
        booked: dict[str, str] = {}
        bookers = [_book_until(enough_booked, traveller, booked) for _ in range(BOOKERS)]
        load = asyncio.gather(*bookers)
        for _ in range(WORKERS):
            newer = await stack.enter_async_context(_worker(image, told))
            await stopped(worker)
            worker = newer
        await stopped(doors[0])
        enough = len(booked) + BOOKED_AFTER
        await until(lambda: _reached(booked, enough), PATIENCE_S)
        enough_booked.set()
        await load
        ended = [await traveller.until(trip_id) for trip_id in booked.values()]
    assert len(set(booked.values())) == len(booked)
    assert {trip["status"] for trip in ended} == {"confirmed"}


async def _reached(booked: dict[str, str], enough: int) -> bool:
    return len(booked) >= enough


async def _book_until(stop: asyncio.Event, traveller: Traveller, booked: dict[str, str]) -> None:
    """Book one trip after another until told to stop. Note each key, and the trip that it was given.

    The next trip waits for the last one's end, so a slow machine falls no further behind. Like any client,
    send a call again that found no front door; the key makes that safe.
    """
    while not stop.is_set():
        key = str(uuid4())
        async with asyncio.timeout(PATIENCE_S):
            while key not in booked:
                with contextlib.suppress(aiohttp.ClientError, json.JSONDecodeError):
                    status, trip = await traveller.call(
                        "POST",
                        "/trips",
                        json=bench_order(),
                        headers={"Idempotency-Key": key, "Prefer": "wait=10"},
                    )
                    if status in (200, 202):
                        booked[key] = trip["trip_id"]
                await asyncio.sleep(PACE_S)


async def test_migrations_can_be_applied_again(image: Path, told: dict[str, str]) -> None:
    process = await started(image, "migrate", {"DATABASE_URL": told["DATABASE_URL"]})
    assert await ended(process, PATIENCE_S) == 0


async def test_health_check_fails_where_nothing_answers(image: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/healthz"
    check = await asyncio.create_subprocess_exec(
        sys.executable, "stack/deploy/answers.py", url, cwd=image, stderr=PIPE
    )
    _, said = await check.communicate()
    assert check.returncode == 1
    assert b"refused" in said
