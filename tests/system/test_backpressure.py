"""The front door's bounds: a full backlog, too many who wait, and a record that does not answer."""

import asyncio
import contextlib
import uuid
from typing import Any

import aiohttp
import pytest

from api.tokens import store as tokens
from api.tokens.caller import Caller, Scope
from tests.conftest import BACKLOG, WAITS, RunningSystem
from tests.system.freezing import frozen, kill
from tests.system.test_idempotency import booked_for, keyed
from tests.system.test_outages import answering
from tests.system.test_supervision import eventually
from trials.orders import Json, own_order
from trials.traveller import Traveller

CALLS = 25
"""More than the front door has connections to the record."""


@pytest.fixture
def own_traveller(spare: RunningSystem, http: aiohttp.ClientSession) -> Traveller:
    return spare.traveller(http)


class Answer:
    """What the front door answered, and how."""

    def __init__(self, status: int, headers: Any, body: Any) -> None:
        self.status, self.headers, self.body = status, headers, body


async def post(system: RunningSystem, http: aiohttp.ClientSession, body: Json, **headers: str) -> Answer:
    headers["Authorization"] = f"Bearer {system.tokens['traveller']}"
    async with http.post(f"{system.api}/trips", json=body, headers=headers) as answer:
        return Answer(answer.status, answer.headers, await answer.json())


async def of_another_tenant(system: RunningSystem, http: aiohttp.ClientSession) -> Traveller:
    async with system.way.open(size=1) as pool:
        caller = Caller(f"tenant-{uuid.uuid4()}", frozenset({Scope.TRAVELLER}), "a test")
        return Traveller(http, system.api, system.partners, await tokens.make(pool, caller))


def is_unavailable(answer: Answer, code: str) -> bool:
    """503 with this code, and when to come again."""
    retry_after = answer.headers.get("Retry-After", "")
    return (answer.status, answer.body["code"]) == (503, code) and retry_after.isdigit()


async def test_a_full_backlog_refuses_and_drains(
    own_traveller: Traveller, spare: RunningSystem, http: aiohttp.ClientSession
) -> None:
    body, key = own_order(), str(uuid.uuid4())
    with frozen(spare, "temporal"):
        first = await own_traveller.book(body, key=key)
        await kill(spare, "api")
        await eventually(lambda: answering(own_traveller))
        answers = await asyncio.gather(*(post(spare, http, body) for _ in range(3 * BACKLOG)))
        accepted = [answer for answer in answers if answer.status == 202]
        assert len(accepted) == BACKLOG - 1
        assert all(is_unavailable(answer, "backlog_full") for answer in answers if answer.status != 202)
        await kill(spare, "api")
        await eventually(lambda: answering(own_traveller))
        assert is_unavailable(await post(spare, http, body), "backlog_full")
        status, again = await own_traveller.call("POST", "/trips", json=body, headers=keyed(key))
        assert (status, again["trip_id"]) == (200, first["trip_id"])
        ids = await booked_for(own_traveller, body)
        assert len(ids) == BACKLOG
        neighbour = await of_another_tenant(spare, http)
        beside = (await neighbour.book(own_order()))["trip_id"]
        async with contextlib.aclosing(neighbour.events(beside)) as events:
            assert (await anext(events)).trip["status"] == "booking"
    assert (await neighbour.until(beside))["status"] == "confirmed"
    assert {(await own_traveller.until(trip_id))["status"] for trip_id in ids} == {"confirmed"}

    async def accepts_again() -> bool:
        return (await post(spare, http, body)).status == 202

    await eventually(accepts_again)


async def test_only_so_many_may_wait(
    own_traveller: Traveller, spare: RunningSystem, http: aiohttp.ClientSession
) -> None:
    body = own_order()
    await own_traveller.break_partner("hotel", down=True)
    try:
        waiting = [asyncio.create_task(post(spare, http, body, Prefer="wait=60")) for _ in range(WAITS)]

        async def all_accepted() -> bool:
            return len(await booked_for(own_traveller, body)) == WAITS

        await eventually(all_accepted)
        answer = await post(spare, http, body, Prefer="wait=60")
        assert (answer.status, answer.body["status"]) == (202, "booking")
        assert not any(task.done() for task in waiting)
    finally:
        await own_traveller.mend_partner("hotel")
    assert {(await task).status for task in waiting} == {200}


async def test_nothing_is_accepted_while_the_record_is_away(
    own_traveller: Traveller, spare: RunningSystem, http: aiohttp.ClientSession
) -> None:
    body = own_order()
    with frozen(spare, "postgres"):
        answers = await asyncio.gather(*(post(spare, http, body) for _ in range(CALLS)))
        status, problem = await own_traveller.call("GET", "/trips")
    assert all(is_unavailable(answer, "record_unavailable") for answer in answers)
    assert (status, problem["code"]) == (503, "record_unavailable")

    async def accepts_again() -> bool:
        return (await post(spare, http, own_order(), Prefer="wait=60")).status == 200

    await eventually(accepts_again)
    assert await booked_for(own_traveller, body) == []


async def test_a_trip_is_accepted_although_the_record_goes_away_while_its_caller_waits(
    own_traveller: Traveller, spare: RunningSystem, http: aiohttp.ClientSession
) -> None:
    body = own_order()
    await own_traveller.break_partner("hotel", down=True)
    waiting = asyncio.create_task(post(spare, http, body, Prefer="wait=8"))

    async def accepted() -> bool:
        return len(await booked_for(own_traveller, body)) == 1

    await eventually(accepted)
    with frozen(spare, "postgres"):
        answer = await waiting
    await own_traveller.mend_partner("hotel")
    assert answer.status == 202
    (trip_id,) = await booked_for(own_traveller, body)
    assert answer.body["trip_id"] == trip_id
