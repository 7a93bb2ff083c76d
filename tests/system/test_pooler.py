"""Front door and worker behind pgbouncer, which has a server for each transaction, not for each client."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
import pytest_asyncio

from guard.models import Tally
from guard.policy import State
from guard.store import Store
from record.pool import open_pool
from tests.conftest import ROOT, RunningSystem
from tests.guard.fleet import POLICY, new_partner
from tests.pooler import needs_pgbouncer, pgbouncer
from tests.system.test_events import another_door, answers, read
from trials.orders import order
from trials.traveller import Traveller

pytestmark = needs_pgbouncer

START_TIMEOUT_S = 90


@pytest.fixture(scope="module")
def pooled_url(system: RunningSystem) -> Iterator[str]:
    """The shared system's record behind a pgbouncer."""
    with pgbouncer(system.database_url) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pooled_traveller(
    system: RunningSystem,
    pooled_url: str,
    http: aiohttp.ClientSession,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Traveller]:
    """An operator's calls to a front door behind the pooler."""
    told = {"DATABASE_URL": pooled_url, "TRIPS_DATABASE_DIRECT_URL": system.database_url}
    with another_door(system, tmp_path_factory.mktemp("pooled") / "log", **told) as (url, _):
        await answers(http, url)
        yield Traveller(http, url, system.partners, system.tokens["operator"])


async def test_trips_are_booked_told_of_and_listed(pooled_traveller: Traveller) -> None:
    trips = [await pooled_traveller.book(order(), wait=30) for _ in range(5)]
    assert {trip["status"] for trip in trips} == {"confirmed"}
    for trip in trips:
        told = await read(pooled_traveller, trip["trip_id"])
        assert told[-1].trip == await pooled_traveller.trip(trip["trip_id"])
    status, page = await pooled_traveller.call("GET", "/trips?limit=500")
    assert status == 200
    assert {trip["trip_id"] for trip in trips} <= {trip["trip_id"] for trip in page["items"]}


async def test_a_key_stands_for_one_trip(pooled_traveller: Traveller) -> None:
    body = order()
    first = await pooled_traveller.book(body, key="pooled")
    assert (await pooled_traveller.book(body, key="pooled"))["trip_id"] == first["trip_id"]


async def test_breakers_are_read_and_overruled(pooled_traveller: Traveller) -> None:
    for override in ("closed", None):
        word = {"override": override, "reason": "a test"}
        status, breaker = await pooled_traveller.call("PUT", "/breakers/points", json=word)
        assert (status, breaker["override"]) == (200, override)
    status, page = await pooled_traveller.call("GET", "/breakers/points/events")
    assert (status, page["items"][0]["cause"]) == (200, "override_lifted")


async def test_a_breaker_opens(pooled_url: str) -> None:
    async with open_pool(pooled_url, through_pooler=True) as pool:
        partner = new_partner()
        assert (await Store(pool, POLICY).record(partner, Tally(1, calls=9, failures=9))).state is State.OPEN


@pytest.mark.parametrize("program", [("-m", "api"), ("worker.py",)])
def test_without_a_direct_address_it_does_not_start(
    system: RunningSystem, pooled_url: str, program: tuple[str, ...]
) -> None:
    told = {**os.environ, "DATABASE_URL": pooled_url, "TEMPORAL_ADDRESS": system.temporal}
    ended = subprocess.run(
        [sys.executable, *program],
        check=False,
        cwd=ROOT,
        env=told,
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT_S,
    )
    assert ended.returncode == 1
    assert "TRIPS_DATABASE_DIRECT_URL" in ended.stderr.splitlines()[-1]
