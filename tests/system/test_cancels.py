"""Cancels and an operator's orders while something is away, and more of them than Temporal would take."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from stack.ports import free_port
from tests.conftest import RunningSystem
from tests.system.freezing import frozen
from tests.system.test_events import another_door, answers, authorization
from tests.system.test_idempotency import own_order
from tests.system.test_supervision import eventually
from trials.traveller import Traveller

CANCELS = 30
LIMIT_S = 12.0
"""Temporal has ten seconds to answer, the record five."""

ASKED = ("cancel", "steps/hotel/retry")


@pytest.fixture
async def held_up(traveller: Traveller) -> AsyncIterator[str]:
    """A trip whose hotel does not answer."""
    await traveller.break_partner("hotel", latency_ms=60_000)
    trip = await traveller.book(own_order())

    async def is_asked() -> bool:
        (hotel, *_) = (await traveller.trip(trip["trip_id"]))["steps"]
        return bool(hotel["status"] == "unknown")

    await eventually(is_asked)
    yield trip["trip_id"]
    await traveller.mend_partner("hotel")


async def refused(http: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> str:
    """Post what is answered 503 with Retry-After, in time. Returns its code."""
    begun = time.monotonic()
    async with http.post(url, headers=headers) as answer:
        problem = await answer.json()
    assert answer.status == 503, problem
    assert answer.headers["Retry-After"].isdigit()
    assert time.monotonic() - begun < LIMIT_S
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
    system: RunningSystem, held_up: str, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    headers = {"Authorization": f"Bearer {system.tokens['operator']}"}
    nowhere = f"127.0.0.1:{free_port()}"
    with another_door(system, tmp_path / "log", TEMPORAL_ADDRESS=nowhere) as (url, _):
        await answers(http, url)
        for asked in ASKED:
            assert await refused(http, f"{url}/trips/{held_up}/{asked}", headers) == "temporal_unavailable"


async def test_the_record_is_mute(system: RunningSystem, held_up: str, http: aiohttp.ClientSession) -> None:
    headers = {"Authorization": f"Bearer {system.tokens['operator']}"}
    with frozen(system, "postgres"):
        for asked in ASKED:
            url = f"{system.api}/trips/{held_up}/{asked}"
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
