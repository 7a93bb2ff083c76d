"""The running partners, and a second instance of each on the same engine: short holds, a token, a lab."""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from partners.catalogue import PARTNERS
from partners.participant import Participant
from partners.service import load
from stack.ports import free_port
from tests.partners.cases import CASES, SCARCE, Case
from tests.partners.client import Client, new_key
from tests.partners.proxy import Proxy
from tests.partners.rows import asked
from tests.patience import PATIENCE_S

TOKEN = "only-for-tests"  # a token of the tests' own
BRIEF_S = 0.2


@pytest.fixture(scope="session")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=250)) as session:
        # A call whose connection is cut must not be tried again behind the test's back; aiohttp has no
        # public switch for that.
        session._retry_connection = False
        yield session


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture(params=SCARCE, ids=lambda case: case.name)
def scarce(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture
def client(case: Case, system: Any, http: aiohttp.ClientSession) -> Client:
    return Client(http, system.partners[case.name])


async def _start(name: str, engine_url: str, port: int) -> Process:
    prefix = f"TRIPS_{name.upper()}"
    settings = {
        f"{prefix}_PORT": str(port),
        f"{prefix}_ENGINE_URL": engine_url,
        f"{prefix}_TOKEN": TOKEN,
        "TRIPS_LAB": "1",
        "TRIPS_HOLD_S": "1",
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "partners", name, env={**os.environ, **settings}
    )


async def _ready(client: Client, process: Process) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while process.returncode is None:
            try:
                if (await client.call("GET", "/healthz"))[0] == 200:
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)
    raise AssertionError(f"{client.base} ended with {process.returncode}")


async def _stop(process: Process) -> int:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await process.wait()
    except TimeoutError:
        process.kill()
        return await process.wait()


@pytest.fixture(scope="session")
async def proxies(system: Any) -> AsyncIterator[dict[str, Proxy]]:
    """What stands between the second instances and their engines, by name."""
    found = {case.name: Proxy(system.engines[case.name]) for case in CASES if case.name in system.partners}
    yield found
    for proxy in found.values():
        await proxy.stop()


@pytest.fixture(scope="session")
async def seconds(proxies: dict[str, Proxy], http: aiohttp.ClientSession) -> AsyncIterator[dict[str, Client]]:
    """The second instances by name."""
    clients, processes = {}, []
    for name, proxy in proxies.items():
        port = free_port()
        clients[name] = Client(http, f"http://127.0.0.1:{port}", TOKEN)
        processes.append(await _start(name, await proxy.start(), port))
    try:
        await asyncio.gather(*map(_ready, clients.values(), processes))
        yield clients
    finally:
        codes = await asyncio.gather(*map(_stop, processes))
    assert set(codes) == {0}


@pytest.fixture
def second(case: Case, seconds: dict[str, Client]) -> Client:
    return seconds[case.name]


async def _opened(case: Case, system: Any, hold_s: float) -> AsyncIterator[Participant[Any]]:
    service = load(next(partner for partner in PARTNERS if partner.name == case.name))
    async with service.open(system.engines[case.name], hold_s) as store:
        yield store


@pytest.fixture
async def store(case: Case, system: Any) -> AsyncIterator[Participant[Any]]:
    """The partner's store, opened in this process."""
    async for store in _opened(case, system, 900):
        yield store


@pytest.fixture
async def brief(case: Case, system: Any) -> AsyncIterator[Participant[Any]]:
    """As `store`, but its holds are soon over."""
    async for store in _opened(case, system, BRIEF_S):
        yield store


@pytest.fixture
async def key(store: Participant[Any]) -> AsyncIterator[str]:
    """A key that holds nothing once the test is over."""
    key = new_key()
    yield key
    await store.release(key)


@pytest.fixture
def body(case: Case) -> Any:
    """What the store is asked to hold."""
    return asked(case, case.good())
