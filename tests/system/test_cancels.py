"""Cancels and an operator's orders while something is away, and more of them than Temporal would take."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from stack.ports import free_port
from tests.conftest import RunningSystem
from tests.system.conftest import Orders
from tests.system.freezing import frozen
from tests.system.test_events import another_door, answers, authorization
from tests.system.test_supervision import eventually
from trials import orders
from trials.orders import Json
from trials.traveller import Traveller

CANCELS = 30
MUTE: Json = {"latency_ms": 60_000}
DOWN: Json = {"down": True}

ASKED = ("cancel", "steps/hotel/retry")


@asynccontextmanager
async def held_up_by(faults: Json, traveller: Traveller, body: Json) -> AsyncIterator[str]:
    """A trip that waits for its hotel."""
    await traveller.break_partner("hotel", **faults)
    trip = await traveller.book(body)

    async def is_asked() -> bool:
        (hotel, *_) = (await traveller.trip(trip["trip_id"]))["steps"]
        return bool(hotel["status"] == "unknown")

    try:
        await eventually(is_asked)
        yield trip["trip_id"]
    finally:
        await traveller.mend_partner("hotel")


@pytest.fixture
async def held_up(traveller: Traveller) -> AsyncIterator[str]:
    """A trip whose workflow waits for its hotel."""
    async with held_up_by(MUTE, traveller, orders.own_order()) as trip_id:
        yield trip_id


@pytest.fixture
async def either(traveller: Traveller, own_order: Orders) -> AsyncIterator[str]:
    """A trip of either kind."""
    async with held_up_by(MUTE, traveller, own_order()) as trip_id:
        yield trip_id


@pytest.fixture
async def choreographed(traveller: Traveller) -> AsyncIterator[str]:
    """A choreographed trip whose hotel takes no messages."""
    async with held_up_by(DOWN, traveller, orders.own_order(coordination="choreography")) as trip_id:
        yield trip_id


async def refused(http: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> str:
    """Post what is answered 503 with Retry-After. Returns its code."""
    async with http.post(url, headers=headers) as answer:
        problem = await answer.json()
    assert answer.status == 503, problem
    assert answer.headers["Retry-After"].isdigit()
    return str(problem["code"])


async def test_temporal_is_mute_from_before_the_front_door_starts(
    system: RunningSystem, held_up: str, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    headers = {"Authorization": f"Bearer {system.tokens['operator']}"}
    with frozen(system, "temporal"), another_door(system, tmp_path / "log") as (url, _):
        await answers(http, url)
        calls = (refused(http, f"{url}/trips/{held_up}/{asked}", headers) for asked in ASKED)
        assert await asyncio.gather(*calls) == ["temporal_unavailable"] * len(ASKED)


async def test_temporal_comes_back(
    system: RunningSystem, held_up: str, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    headers = authorization(system)
    with another_door(system, tmp_path / "log") as (url, _):
        with frozen(system, "temporal"):
            await answers(http, url)
            await refused(http, f"{url}/trips/{held_up}/cancel", headers)

        async def is_taken() -> bool:
            async with http.post(f"{url}/trips/{held_up}/cancel", headers=headers) as answer:
                assert answer.status in (202, 503)
                return answer.status == 202

        await eventually(is_taken)


async def test_temporal_is_down_from_before_the_front_door_starts(
    system: RunningSystem, traveller: Traveller, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    headers = {"Authorization": f"Bearer {system.tokens['operator']}"}
    nowhere = f"127.0.0.1:{free_port()}"
    with another_door(system, tmp_path / "log", TEMPORAL_ADDRESS=nowhere) as (url, _):
        await answers(http, url)
        # The hotel is not asked for ever, so the trip begins when all else is ready.
        async with held_up_by(MUTE, traveller, orders.own_order()) as trip_id:
            calls = (refused(http, f"{url}/trips/{trip_id}/{asked}", headers) for asked in ASKED)
            assert await asyncio.gather(*calls) == ["temporal_unavailable"] * len(ASKED)


async def test_the_record_is_mute(system: RunningSystem, either: str, http: aiohttp.ClientSession) -> None:
    headers = {"Authorization": f"Bearer {system.tokens['operator']}"}
    with frozen(system, "postgres"):
        for asked in ASKED:
            url = f"{system.api}/trips/{either}/{asked}"
            assert await refused(http, url, headers) == "record_unavailable"


async def test_many_cancels_are_one_update(traveller: Traveller, system: RunningSystem, held_up: str) -> None:
    for _ in range(2):
        calls = (traveller.call("POST", f"/trips/{held_up}/cancel") for _ in range(CANCELS))
        assert {status for status, _ in await asyncio.gather(*calls)} == {202}
    client = await Client.connect(system.temporal)
    history = await client.get_workflow_handle(held_up).fetch_history()
    accepted = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
    assert sum(event.event_type == accepted for event in history.events) == 1


async def test_a_trip_that_is_undone_is_cancelled_without_temporal(
    traveller: Traveller, system: RunningSystem, held_up: str
) -> None:
    assert (await traveller.call("POST", f"/trips/{held_up}/cancel"))[0] == 202
    with frozen(system, "temporal"):
        status, trip = await traveller.call("POST", f"/trips/{held_up}/cancel")
    assert (status, trip["trip_id"]) == (202, held_up)


async def test_a_cancel_needs_no_broker(
    traveller: Traveller, system: RunningSystem, choreographed: str
) -> None:
    with frozen(system, "nats"):
        status, trip = await traveller.call("POST", f"/trips/{choreographed}/cancel")
        assert (status, trip["status"]) == (202, "compensating")
    await traveller.mend_partner("hotel")
    assert (await traveller.until(choreographed))["status"] == "cancelled"


async def test_many_cancels_are_told_once(traveller: Traveller, choreographed: str) -> None:
    for _ in range(2):
        calls = (traveller.call("POST", f"/trips/{choreographed}/cancel") for _ in range(CANCELS))
        assert {status for status, _ in await asyncio.gather(*calls)} == {202}
    _, page = await traveller.call("GET", f"/trips/{choreographed}/messages?limit=500")
    assert [one["subject"] for one in page["items"]].count("trips.withdrawn") == 1
