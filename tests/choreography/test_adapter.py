"""The adapter's process, on a real broker and before a real partner that speaks HTTP alone."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from choreography.broker import Broker
from choreography.messages import Confirmed, Held, Released, Tried
from choreography.participant import durables
from choreography.protocol import Wish
from choreography.streams import TRIPS
from stack.ports import free_port
from tests.choreography.partner import Talk
from tests.choreography.server import Server
from tests.choreography.trips import Trips, trips_at
from tests.conftest import SHARED, RunningSystem
from tests.partners.cases import CASES
from tests.partners.client import Client, new_key, until
from trials.traveller import Traveller
from trip.partner import Partner

FLIGHT = Partner("flight")
PORT = free_port()
BODY = next(case for case in CASES if case.name == FLIGHT).good


@pytest.fixture
def client(system: RunningSystem, http: aiohttp.ClientSession) -> Client:
    """The partner without the adapter."""
    return Client(http, system.partners[FLIGHT])


@asynccontextmanager
async def adapter(settings: dict[str, str]) -> AsyncIterator[None]:
    """The process, which a signal ends well."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "choreography", "adapter", FLIGHT),
        env={**os.environ, **settings},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield
        process.terminate()
        _, errors = await asyncio.wait_for(process.communicate(), 15)
        assert (process.returncode, b"Traceback" in errors) == (0, False), errors.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture(scope="session")
async def trips(system: RunningSystem, nats: Server, broker: Broker) -> AsyncIterator[Trips]:
    """Who tells the adapter what to do, and hears what it tells."""
    settings = {
        **SHARED,
        "NATS_URL": nats.url,
        "DATABASE_URL": system.database_url,
        "TRIPS_FLIGHT_URL": system.partners[FLIGHT],
        "TRIPS_ADAPTER_PORT": str(PORT),
    }
    async with adapter(settings), trips_at(broker, "beside-the-adapter") as trips:
        yield trips


async def nobody_asks(broker: Broker) -> bool:
    """Whether no message is asked for that the partner would have to deal with."""
    js = broker.current().js
    found = [await js.consumer_info(TRIPS, durable) for durable in durables(FLIGHT)]
    return not any(consumer.num_waiting for consumer in found)


async def test_a_partner_takes_part_through_its_adapter(trips: Trips, client: Client) -> None:
    talk = Talk(FLIGHT, BODY(), new_key())
    await trips.tell(talk.asks())
    held = await trips.heard(talk.trip_id, Held)
    assert held.data.reference == (await client.get(talk.trip_id))[1]["reference"]
    await trips.tell(talk.says(Wish.CONFIRM))
    assert (await trips.heard(talk.trip_id, Confirmed)).data.reference == held.data.reference
    talk.again = 1
    await trips.tell(talk.says(Wish.RELEASE))
    await trips.heard(talk.trip_id, Released)
    assert (await client.get(talk.trip_id))[1]["status"] == "released"


async def test_it_says_how_it_is_and_counts_its_calls(
    trips: Trips, client: Client, http: aiohttp.ClientSession
) -> None:
    talk = Talk(FLIGHT, BODY(), new_key())
    await trips.tell(talk.asks())
    await trips.heard(talk.trip_id, Held)
    async with http.get(f"http://127.0.0.1:{PORT}/readyz") as answer:
        assert (await answer.json())["dependencies"] == {"broker": "ok", "postgres": "ok"}
    async with http.get(f"http://127.0.0.1:{PORT}/metrics") as answer:
        text = await answer.text()
    assert f'trips_breaker_refuses{{partner="{FLIGHT}"}} 0.0' in text
    assert f'trips_partner_call_seconds_count{{outcome="success",partner="{FLIGHT}"}}' in text
    await client.release(talk.trip_id)


async def test_a_release_is_tried_until_it_gets_through(trips: Trips, client: Client) -> None:
    talk = Talk(FLIGHT, BODY(), new_key())
    await trips.tell(talk.asks())
    await trips.heard(talk.trip_id, Held)
    await client.call("PUT", "/lab/faults", {"error_rate": 1.0, "verbs": ["DELETE"], "count": 3})
    await trips.tell(talk.says(Wish.RELEASE))
    released = await trips.heard(talk.trip_id, Released)
    assert released.data.attempt == 4
    assert [tried.data.attempt.attempt for tried in trips.of(talk.trip_id, Tried)] == [1, 2, 3]
    assert len(trips.of(talk.trip_id, Released)) == 1


async def test_no_message_is_taken_while_the_breaker_is_open(
    trips: Trips, client: Client, broker: Broker, traveller: Traveller
) -> None:
    talk = Talk(FLIGHT, BODY(), new_key())
    await traveller.override_breaker(FLIGHT, "open")
    try:
        await until(lambda: nobody_asks(broker))
        await trips.tell(talk.asks())
    finally:
        await traveller.override_breaker(FLIGHT, None)
    assert (await trips.heard(talk.trip_id, Held)).data.attempt == 1
    await client.release(talk.trip_id)
