"""A partner's process on a real broker and a real engine, and what its lab does to messages."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from choreography.broker import Broker
from choreography.messages import Confirmed, Held, Released, Tried
from choreography.protocol import Wish
from choreography.streams import TRIPS
from stack.ports import free_port
from tests.choreography.partner import Engines, Talk
from tests.choreography.server import Server
from tests.choreography.trips import Trips, trips_at
from tests.partners.cases import CASES
from tests.partners.client import Client, new_key, until
from tests.partners_engines.engines import Engine
from trip.partner import Partner

pytestmark = pytest.mark.server

TOUR = Partner("tour")
PROGRAM = (sys.executable, "-m", "choreography")
QUICKLY = {"TRIPS_RETRY_BASE_S": "0.05", "TRIPS_RETRY_CAP_S": "0.1", "TRIPS_RETRY_ATTEMPTS": "4"}
HANG_S = 8


async def _started(name: str, **settings: str) -> Process:
    return await asyncio.create_subprocess_exec(*PROGRAM, name, env={**os.environ, **settings}, stderr=PIPE)


@dataclass
class Running:
    """A partner's process, and what stands in for trips."""

    client: Client
    process: Process
    trips: Trips

    async def faults(self, **wanted: Any) -> None:
        """Set faults."""
        assert (await self.client.call("PUT", "/lab/faults", wanted))[0] == 200

    async def mend(self) -> None:
        """End all faults."""
        await self.client.call("DELETE", "/lab/faults")

    async def calls(self, trip_id: str) -> list[tuple[str, str | None]]:
        """The messages of a trip that the lab noted, and their outcomes."""
        _, page = await self.client.call("GET", f"/lab/calls?key={trip_id}")
        return [(call["verb"], call["outcome"]) for call in page["items"]]


@pytest.fixture(scope="session")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture(scope="session")
async def postgres(engines: Engines) -> Engine:
    return await engines.of("tour")


async def _is_ready(client: Client) -> bool:
    try:
        return (await client.call("GET", "/healthz"))[0] == 200
    except aiohttp.ClientError:
        return False


@asynccontextmanager
async def _running(
    engine: Engine, url: str, http: aiohttp.ClientSession
) -> AsyncIterator[tuple[Client, Process]]:
    port = free_port()
    client = Client(http, f"http://127.0.0.1:{port}")
    process = await _started(
        "tour",
        NATS_URL=url,
        TRIPS_LAB="1",
        TRIPS_TOUR_PORT=str(port),
        TRIPS_TOUR_ENGINE_URL=engine.url,
        **QUICKLY,
    )
    try:
        await until(lambda: _is_ready(client))
        yield client, process
        process.terminate()
        _, errors = await asyncio.wait_for(process.communicate(), 15)
        assert (process.returncode, b"Traceback" in errors) == (0, False), errors.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture(scope="module")
async def tour(
    postgres: Engine, nats: Server, broker: Broker, http: aiohttp.ClientSession
) -> AsyncIterator[Running]:
    async with (
        _running(postgres, nats.url, http) as (client, process),
        trips_at(broker, "stand-in-trips") as trips,
    ):
        yield Running(client, process, trips)


@pytest.fixture
async def talk(tour: Running) -> AsyncIterator[Talk]:
    talk = Talk(TOUR, next(case for case in CASES if case.name == "tour").good(), new_key())
    yield talk
    await tour.mend()
    await tour.client.release(talk.trip_id)


async def test_a_hold_is_told_and_confirmed(tour: Running, talk: Talk) -> None:
    await tour.trips.tell(talk.asks())
    held = await tour.trips.heard(talk.trip_id, Held)
    assert (held.source, held.data.attempt) == ("tour", 1)
    assert (await tour.client.get(talk.trip_id))[1]["reference"] == held.data.reference
    await tour.trips.tell(talk.says(Wish.CONFIRM))
    assert (await tour.trips.heard(talk.trip_id, Confirmed)).data.reference == held.data.reference
    assert await tour.calls(talk.trip_id) == [("PUT", "201"), ("confirm", "200")]


async def test_a_refusal_of_another_undoes(tour: Running, talk: Talk) -> None:
    await tour.trips.tell(talk.asks())
    await tour.trips.heard(talk.trip_id, Held)
    await tour.trips.tell(talk.refused_by(Partner("payment")))
    await tour.trips.heard(talk.trip_id, Released)
    assert await tour.calls(talk.trip_id) == [("PUT", "201"), ("DELETE", "200")]
    assert (await tour.client.get(talk.trip_id))[1]["status"] == "released"


async def test_an_error_is_told_and_tried_again(tour: Running, talk: Talk) -> None:
    await tour.faults(error_rate=1.0, status=429, verbs=["PUT"], count=2)
    await tour.trips.tell(talk.asks())
    assert (await tour.trips.heard(talk.trip_id, Held)).data.attempt == 3
    tried = [message.data.attempt for message in tour.trips.of(talk.trip_id, Tried)]
    assert [(one.attempt, one.error[:12]) for one in tried] == [(1, "answered 429"), (2, "answered 429")]
    assert all(one.next_at is not None for one in tried)
    assert await tour.calls(talk.trip_id) == [("PUT", "429"), ("PUT", "429"), ("PUT", "201")]


async def test_a_message_that_fails_to_the_end_is_given_up(tour: Running, talk: Talk) -> None:
    await tour.faults(error_rate=1.0, retry_after_s=1, verbs=["PUT"])
    await tour.trips.tell(talk.asks())

    async def given_up() -> bool:
        tried = [message.data.attempt for message in tour.trips.of(talk.trip_id, Tried)]
        return [(one.attempt, one.next_at is None) for one in tried] == [
            (1, False),
            (2, False),
            (3, False),
            (4, True),
        ]

    await until(given_up)
    began, ended = (tour.trips.of(talk.trip_id, Tried)[number].data.attempt.at for number in (0, 3))
    assert (ended - began).total_seconds() >= 3
    await tour.mend()
    # What is told again comes with a new id, and begins anew.
    talk.again = 1
    await tour.trips.tell(talk.asks())
    await tour.trips.heard(talk.trip_id, Held)


async def test_a_dropped_message_has_taken_effect_and_comes_again(tour: Running, talk: Talk) -> None:
    await tour.faults(drop_reply_rate=1.0, count=1)
    await tour.trips.tell(talk.asks())

    async def repeated() -> bool:
        return await tour.calls(talk.trip_id) == [("PUT", "dropped"), ("PUT", "200")]

    await until(repeated)
    held = await tour.trips.heard(talk.trip_id, Held)
    assert held.data.attempt == 1
    # The relay may have told it, and the repeat after it: it is one message.
    assert len(tour.trips.of(talk.trip_id, Held)) == 1


async def test_down_takes_no_message(tour: Running, talk: Talk, broker: Broker) -> None:
    await tour.faults(down=True)
    await until(lambda: _asks_for_nothing(broker))
    await tour.trips.tell(talk.asks())
    waiting = await broker.current().js.consumer_info(TRIPS, "tour-do")
    assert waiting.num_pending == 1
    await tour.mend()
    await tour.trips.heard(talk.trip_id, Held)
    assert await tour.calls(talk.trip_id) == [("PUT", "201")]


async def _asks_for_nothing(broker: Broker) -> bool:
    asked: int | None = (await broker.current().js.consumer_info(TRIPS, "tour-do")).num_waiting
    return asked == 0


async def test_down_for_a_count_ends(tour: Running, talk: Talk) -> None:
    await tour.faults(down=True, count=1)
    await tour.trips.tell(talk.asks())
    await tour.trips.heard(talk.trip_id, Held)
    assert await tour.calls(talk.trip_id) == [("PUT", "dropped"), ("PUT", "201")]


async def test_repeated_and_held_back_it_acts_once(tour: Running, talk: Talk) -> None:
    await tour.faults(repeat_rate=1.0, hold_back_ms=300)
    await tour.trips.tell(talk.asks())
    held = await tour.trips.heard(talk.trip_id, Held)
    assert held.data.seq == 1
    await tour.trips.tell(talk.says(Wish.RELEASE))
    released = await tour.trips.heard(talk.trip_id, Released)
    assert released.data.seq == 2


async def test_holds_that_hang_stand_before_no_undo(tour: Running, talk: Talk) -> None:
    await tour.faults(latency_ms=1000 * HANG_S, verbs=["PUT"])
    hanging = [Talk(TOUR, talk.body, new_key()) for _ in range(40)]
    for one in hanging:
        await tour.trips.tell(one.asks())

    async def all_hang() -> bool:
        return bool(await tour.calls(hanging[20].trip_id))

    await until(all_hang)
    began = asyncio.get_running_loop().time()
    await tour.trips.tell(talk.says(Wish.RELEASE))
    await tour.trips.heard(talk.trip_id, Released)
    assert asyncio.get_running_loop().time() - began < HANG_S - 1
    for one in hanging:
        await tour.trips.tell(one.says(Wish.RELEASE))
        await tour.trips.heard(one.trip_id, Released)
    await tour.mend()

    # Each hold that comes late meets a closed key.
    async def are_closed() -> bool:
        return all([("PUT", "409") in await tour.calls(one.trip_id) for one in hanging])

    await until(are_closed)
    assert not any(tour.trips.of(one.trip_id, Held) for one in hanging)


async def test_payment_does_not_start_without_the_key_of_the_seal() -> None:
    place = {"NATS_URL": "nats://127.0.0.1:1", "TRIPS_PAYMENT_ENGINE_URL": "postgresql://nobody"}
    process = await _started("payment", **place)
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert b"TRIPS_SEAL_KEY must be" in errors
    assert b"Traceback" not in errors


async def test_without_a_broker_it_serves_http(postgres: Engine, http: aiohttp.ClientSession) -> None:
    async with _running(postgres, f"nats://127.0.0.1:{free_port()}", http) as (client, _):
        talk = Talk(TOUR, next(case for case in CASES if case.name == "tour").good(), new_key())
        assert (await client.put(talk.trip_id, talk.body))[0] == 201
        assert (await client.release(talk.trip_id))[0] == 200
