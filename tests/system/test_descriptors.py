"""More connections than a process may have files: what is too much is refused, and the rest goes on."""

import asyncio
import contextlib
import math
import os
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import psutil
import pytest
import pytest_asyncio

from record.pool import Pool
from serving.connections import most_connections
from stack.ports import free_port
from tests.conftest import ROOT, RunningSystem
from tests.partners.client import until
from tests.patience import PATIENCE_S
from tests.system.test_events import another_door, answers, authorization
from tests.system.written import written_trip

FILES = 256
LIMITS = f"ulimit -Sn 128 && ulimit -Hn {FILES}"
TRIES = FILES + 50


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pool(system: RunningSystem) -> AsyncIterator[Pool]:
    async with system.way.open() as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def many() -> AsyncIterator[aiohttp.ClientSession]:
    """A client of any number of connections, which keeps none open after its call."""
    timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield session


@contextlib.contextmanager
def flight(system: RunningSystem) -> Iterator[tuple[str, int]]:
    """A flight partner with few files: where it answers, and its process id."""
    port = free_port()
    told = {"TRIPS_FLIGHT_PORT": str(port), "TRIPS_FLIGHT_ENGINE_URL": system.engines["flight"]}
    command = f"{LIMITS} && exec {sys.executable} -m partners flight"
    process = subprocess.Popen(["/bin/sh", "-c", command], cwd=ROOT, env={**os.environ, **told})
    try:
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.kill()
        process.wait()


@contextlib.asynccontextmanager
async def idle(url: str, number: int) -> AsyncIterator[None]:
    """So many connections on which nothing is sent."""
    place = urlsplit(url)
    writers: list[asyncio.StreamWriter] = []
    try:
        for _ in range(number):
            _, writer = await asyncio.open_connection(place.hostname, place.port)
            writers.append(writer)
        yield
    finally:
        for writer in writers:
            writer.close()


async def status_of(http: aiohttp.ClientSession, url: str, **options: object) -> tuple[int, str | None]:
    """A call's status, and the code of its problem if it may come back later."""
    async with http.get(url, **options) as answer:  # type: ignore[arg-type]
        # Read to its end, so that the connection is kept.
        body = await answer.json()
        if answer.status != 503:
            return answer.status, None
        assert int(answer.headers["Retry-After"]) > 0
        return answer.status, body["code"]


async def test_more_streams_than_files_are_refused_and_the_door_goes_on(
    system: RunningSystem, pool: Pool, many: aiohttp.ClientSession, tmp_path: Path
) -> None:
    trip = await written_trip(pool)
    with another_door(system, tmp_path / "log", LIMITS) as (url, pid):
        await answers(many, url)
        async with contextlib.AsyncExitStack() as streams:

            async def opened() -> int:
                stream = many.get(f"{url}/trips/{trip.id}/events", headers=authorization(system))
                return (await streams.enter_async_context(stream)).status

            found = Counter([await opened() for _ in range(TRIES)])
            # Streams take half of the connections, and one tenant half of the streams.
            share = math.ceil(most_connections(FILES) // 2 / 2)
            assert found == {200: share, 503: TRIES - share}
            assert psutil.Process(pid).num_fds() < FILES
            for path in ("/healthz", "/trips"):
                assert await status_of(many, url + path, headers=authorization(system)) == (200, None)
        await trip.end()


@pytest.mark.parametrize("service", ["door", "flight"])
async def test_connections_that_send_nothing_leave_files_for_the_rest(
    system: RunningSystem, many: aiohttp.ClientSession, tmp_path: Path, service: str
) -> None:
    door = another_door(system, tmp_path / "log", LIMITS)
    with door if service == "door" else flight(system) as (url, pid):
        await answers(many, url)
        connector = aiohttp.TCPConnector(keepalive_timeout=PATIENCE_S)
        async with aiohttp.ClientSession(connector=connector) as early:
            assert await status_of(early, f"{url}/healthz") == (200, None)
            async with idle(url, most_connections(FILES)):
                assert await status_of(many, f"{url}/healthz") == (503, "too_many_connections")
                async with idle(url, TRIES):
                    assert psutil.Process(pid).num_fds() < FILES
                    assert await status_of(early, f"{url}/healthz") == (200, None)

        async def well() -> bool:
            return await status_of(many, f"{url}/healthz") == (200, None)

        await until(well)


@pytest.mark.parametrize("program", ["-m api", "worker.py"])
async def test_the_limit_is_raised_at_start(tmp_path: Path, program: str) -> None:
    """Nothing answers where they are sent; this comes before."""
    told = {"DATABASE_URL": "postgresql://a@127.0.0.1:1/a", "TEMPORAL_ADDRESS": "127.0.0.1:1"}
    told["TRIPS_API_PORT"] = str(free_port())
    command = f"{LIMITS} && exec {sys.executable} {program}"
    with (tmp_path / "log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", command, cwd=ROOT, env={**os.environ, **told}, stderr=log
        )

    async def raised() -> bool:
        return psutil.Process(process.pid).rlimit(resource.RLIMIT_NOFILE) == (FILES, FILES)

    try:
        await until(raised)
    finally:
        process.kill()
        await process.wait()
