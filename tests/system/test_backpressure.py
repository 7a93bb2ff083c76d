"""The front door's bounds: a full backlog, too many who wait, and a record that does not answer."""

import asyncio
import time
import uuid
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from tests.conftest import SHARED, RunningSystem, running_system
from tests.system.freezing import frozen, kill
from tests.system.test_idempotency import booked_for, keyed, own_order
from tests.system.test_outages import answering
from tests.system.test_supervision import eventually
from trials.orders import Json
from trials.traveller import Traveller

BACKLOG = 30
WAITS = 2
CALLS = 25
"""More than the front door has connections to the record."""

ANSWER_S = 8.0
"""The record's time limit is five seconds."""


@pytest.fixture(scope="module")
def own_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """A system with narrow bounds."""
    bounds = {"TRIPS_BACKLOG": str(BACKLOG), "TRIPS_WAITS": str(WAITS)}
    with running_system(tmp_path_factory.mktemp("own") / "data", SHARED | bounds) as started:
        yield started


@pytest.fixture
def own_traveller(own_system: RunningSystem, http: aiohttp.ClientSession) -> Traveller:
    return own_system.traveller(http)


class Answer:
    """What the front door answered, and how."""

    def __init__(self, status: int, headers: Any, body: Any, took_s: float) -> None:
        self.status, self.headers, self.body, self.took_s = status, headers, body, took_s


async def post(system: RunningSystem, http: aiohttp.ClientSession, body: Json, **headers: str) -> Answer:
    headers["Authorization"] = f"Bearer {system.tokens['traveller']}"
    start = time.monotonic()
    async with http.post(f"{system.api}/trips", json=body, headers=headers) as answer:
        return Answer(answer.status, answer.headers, await answer.json(), time.monotonic() - start)


def is_unavailable(answer: Answer, code: str) -> bool:
    """503 with this code, and when to come again."""
    retry_after = answer.headers.get("Retry-After", "")
    return (answer.status, answer.body["code"]) == (503, code) and retry_after.isdigit()


async def test_a_full_backlog_refuses_and_drains(
    own_traveller: Traveller, own_system: RunningSystem, http: aiohttp.ClientSession
) -> None:
    body, key = own_order(), str(uuid.uuid4())
    with frozen(own_system, "temporal"):
        first = await own_traveller.book(body, key=key)
        await kill(own_system, "api")
        await eventually(lambda: answering(own_traveller))
        answers = await asyncio.gather(*(post(own_system, http, body) for _ in range(3 * BACKLOG)))
        accepted = [answer for answer in answers if answer.status == 202]
        assert len(accepted) == BACKLOG - 1
        assert all(is_unavailable(answer, "backlog_full") for answer in answers if answer.status != 202)
        await kill(own_system, "api")
        await eventually(lambda: answering(own_traveller))
        assert is_unavailable(await post(own_system, http, body), "backlog_full")
        status, again = await own_traveller.call("POST", "/trips", json=body, headers=keyed(key))
        assert (status, again["trip_id"]) == (200, first["trip_id"])
        ids = await booked_for(own_traveller, body)
        assert len(ids) == BACKLOG
    assert {(await own_traveller.until(trip_id))["status"] for trip_id in ids} == {"confirmed"}

    async def accepts_again() -> bool:
        return (await post(own_system, http, body)).status == 202

    await eventually(accepts_again)


async def test_only_so_many_may_wait(
    own_traveller: Traveller, own_system: RunningSystem, http: aiohttp.ClientSession
) -> None:
    body = own_order()
    await own_traveller.break_partner("hotel", down=True)
    try:
        waiting = [asyncio.create_task(post(own_system, http, body, Prefer="wait=60")) for _ in range(WAITS)]

        async def all_accepted() -> bool:
            return len(await booked_for(own_traveller, body)) == WAITS

        await eventually(all_accepted)
        answer = await post(own_system, http, body, Prefer="wait=60")
        assert (answer.status, answer.body["status"]) == (202, "booking")
        assert not any(task.done() for task in waiting)
    finally:
        await own_traveller.mend_partner("hotel")
    assert {(await task).status for task in waiting} == {200}


async def test_nothing_is_accepted_while_the_record_is_away(
    own_traveller: Traveller, own_system: RunningSystem, http: aiohttp.ClientSession
) -> None:
    body = own_order()
    with frozen(own_system, "postgres"):
        answers = await asyncio.gather(*(post(own_system, http, body) for _ in range(CALLS)))
        status, problem = await own_traveller.call("GET", "/trips")
    assert all(is_unavailable(answer, "record_unavailable") for answer in answers)
    assert max(answer.took_s for answer in answers) < ANSWER_S
    assert (status, problem["code"]) == (503, "record_unavailable")

    async def accepts_again() -> bool:
        return (await post(own_system, http, own_order(), Prefer="wait=30")).status == 200

    await eventually(accepts_again)
    assert await booked_for(own_traveller, body) == []


async def test_a_trip_is_accepted_although_the_record_goes_away_while_its_caller_waits(
    own_traveller: Traveller, own_system: RunningSystem, http: aiohttp.ClientSession
) -> None:
    body = own_order()
    await own_traveller.break_partner("hotel", down=True)
    waiting = asyncio.create_task(post(own_system, http, body, Prefer="wait=8"))

    async def accepted() -> bool:
        return len(await booked_for(own_traveller, body)) == 1

    await eventually(accepted)
    with frozen(own_system, "postgres"):
        answer = await waiting
    await own_traveller.mend_partner("hotel")
    assert answer.status == 202
    (trip_id,) = await booked_for(own_traveller, body)
    assert answer.body["trip_id"] == trip_id
