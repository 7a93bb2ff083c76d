"""A system that listens on another address, behind a pooler, run by someone with a Temporal of their own."""

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests import pooler
from tests.conftest import SHARED, RunningSystem, running_system
from tests.guard.own_postgres import own_postgres
from tests.system.test_events import read
from trials.orders import order

CLOUD = """
[profile.default]
address = "trips.a2dd6.tmprl.cloud:7233"
namespace = "trips.a2dd6"
api_key = "for-tests"
"""


def another_host() -> str:
    """An address of this machine that is not the default."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return "::1"
    except OSError:
        return "127.0.0.2"


@pytest.fixture(scope="module")
def own_system() -> Iterator[RunningSystem]:
    with (
        tempfile.TemporaryDirectory(prefix="trips-", ignore_cleanup_errors=True) as place,
        own_postgres() as database,
        pooler.shared(database.database_url) as way,
    ):
        configuration = Path(place, "temporal.toml")
        configuration.write_text(CLOUD)
        told = {
            "TRIPS_HOST": another_host(),
            "DATABASE_URL": way.url,
            "TRIPS_DATABASE_DIRECT_URL": database.database_url,
            "TEMPORAL_CONFIG_FILE": str(configuration),
            "TEMPORAL_NAMESPACE": "trips.a2dd6",
        }
        with running_system(Path(place, "data"), SHARED | told) as started:
            yield started


async def test_it_is_ready_and_carries_out_trips(
    own_system: RunningSystem, http: aiohttp.ClientSession
) -> None:
    host = another_host()
    assert own_system.api.startswith(f"http://[{host}]:" if ":" in host else f"http://{host}:")
    traveller = own_system.traveller(http)
    trip = await traveller.book(order(), wait=60)
    assert trip["status"] == "confirmed"
    assert (await read(traveller, trip["trip_id"]))[-1].trip == trip


async def test_its_breakers_are_shared(own_system: RunningSystem, http: aiohttp.ClientSession) -> None:
    word = {"override": "open", "reason": "a test"}
    traveller = own_system.traveller(http)
    assert (await traveller.call("PUT", "/breakers/flight", json=word))[0] == 200
    trip = await traveller.book(order(), wait=60)
    assert trip["failure"]["code"] == "partner_unavailable"
    assert "local breakers decide" not in (own_system.data_dir / "system.log").read_text()
