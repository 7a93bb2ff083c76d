"""Holds, confirmations and releases, as every partner must answer them."""

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.partners.cases import Case, far_day
from tests.partners.client import Client, new_key, until

CALLERS = 200
REPEATS = 60
ROUNDS = 50


async def eventually_expired(client: Client, key: str) -> None:
    async def expired() -> bool:
        return bool((await client.get(key))[1]["status"] == "expired")

    await until(expired)


async def eventually_stock(case: Case, client: Client, body: dict[str, Any], expected: Any) -> None:
    async def as_expected() -> bool:
        return bool(await case.stock(client, body) == expected)

    await until(as_expected)


async def test_a_hold_is_confirmed_and_repeats_change_nothing(case: Case, client: Client) -> None:
    key, body = new_key(), case.good()
    before = await case.stock(client, body)

    status, held = await client.put(key, body)
    assert status == 201
    assert (held["key"], held["status"], held["amount_minor"]) == (key, "held", case.amount)
    assert held["currency"] == "JPY"
    assert held["reference"]
    assert held["expires_at"].endswith("Z")
    while_held = await case.stock(client, body)
    assert while_held != before

    assert await client.put(key, dict(reversed(body.items()))) == (200, held)
    assert await case.stock(client, body) == while_held

    status, confirmed = await client.confirm(key)
    assert status == 200
    assert confirmed == {**held, "status": "confirmed"}
    once = await case.stock(client, body)
    assert await client.confirm(key) == (200, confirmed)
    assert await client.put(key, body) == (200, confirmed)
    assert await client.get(key) == (200, confirmed)
    assert await case.stock(client, body) == once

    await client.release(key)


@pytest.mark.parametrize("confirm_first", [False, True])
async def test_a_release_gives_back_a_hold_or_a_confirmed_one(
    case: Case, client: Client, confirm_first: bool
) -> None:
    key, body = new_key(), case.good()
    before = await case.stock(client, body)
    await client.put(key, body)
    if confirm_first:
        await client.confirm(key)

    for _ in range(3):
        status, released = await client.release(key)
        assert (status, released["status"]) == (200, "released")
    assert await case.stock(client, body) == before
    await assert_closed(case, client, key, body)
    assert await case.stock(client, body) == before


async def assert_closed(case: Case, client: Client, key: str, body: dict[str, Any]) -> None:
    for late in (body, case.other(body)):
        status, problem = await client.put(key, late)
        assert (status, problem["code"]) == (409, "closed")


async def test_a_release_that_comes_first_closes_the_key(case: Case, client: Client) -> None:
    key, body = new_key(), case.good()
    before = await case.stock(client, body)
    for _ in range(2):
        status, released = await client.release(key)
        assert (status, released["status"]) == (200, "released")
    await assert_closed(case, client, key, body)
    assert (await client.get(key))[1]["status"] == "released"
    assert await case.stock(client, body) == before


async def test_another_body_under_a_known_key(case: Case, client: Client) -> None:
    key, body = new_key(), case.good()
    await client.put(key, body)
    for _ in range(2):
        assert (await client.put(key, case.other(body)))[0] == 422
        await client.confirm(key)
    await client.release(key)


async def test_a_confirmation_without_a_hold(case: Case, client: Client) -> None:
    key = new_key()
    assert (await client.confirm(key))[0] == 404
    assert (await client.get(key))[0] == 404
    await client.release(key)
    status, problem = await client.confirm(key)
    assert (status, problem["code"]) == (409, "closed")


async def test_a_hold_that_expires_is_given_back(case: Case, client: Client, second: Client) -> None:
    key, body = new_key(), case.good()
    before = await case.stock(client, body)
    await second.put(key, body)
    await eventually_expired(client, key)

    status, problem = await client.confirm(key)
    assert (status, problem["code"]) == (409, "expired")
    await assert_closed(case, client, key, body)
    await eventually_stock(case, client, body, before)

    status, released = await client.release(key)
    assert (status, released["status"]) == (200, "released")
    assert await case.stock(client, body) == before


async def test_a_confirmed_one_does_not_expire(case: Case, client: Client, second: Client) -> None:
    kept, due, body = new_key(), new_key(), case.good()
    await second.put(kept, body)
    assert (await second.confirm(kept))[0] == 200
    while_confirmed = await case.stock(client, body)
    await second.put(due, body)
    await eventually_expired(client, due)
    await eventually_stock(case, client, body, while_confirmed)
    assert (await client.get(kept))[1]["status"] == "confirmed"
    await client.release(kept)


async def test_a_refused_hold_leaves_no_record(case: Case, client: Client) -> None:
    key = new_key()
    body, code = case.refused()
    for _ in range(2):
        status, problem = await client.put(key, body)
        assert (status, problem["code"]) == (409, code)
        assert (await client.get(key))[0] == 404
    assert (await client.put(key, case.good()))[0] == 201
    # The key is now known with another body; being refused comes second to that.
    assert (await client.put(key, body))[0] == 422
    await client.release(key)
    status, problem = await client.put(key, body)
    assert (status, problem["code"]) == (409, "closed")


async def test_of_many_callers_one_gets_the_last(
    scarce: Case, system: Any, http: aiohttp.ClientSession
) -> None:
    assert scarce.last is not None
    client = Client(http, system.partners[scarce.name])
    body = scarce.last()
    before = await scarce.stock(client, body)
    keys = [new_key() for _ in range(CALLERS)]

    answers = await asyncio.gather(*(client.put_until_answered(key, body) for key in keys))
    won = [key for key, (status, _) in zip(keys, answers, strict=True) if status == 201]
    assert len(won) == 1
    assert {problem["code"] for status, problem in answers if status != 201} == {scarce.last_code}

    lost = next(key for key in keys if key not in won)
    await client.release(won[0])
    assert await scarce.stock(client, body) == before
    assert (await client.put(lost, body))[0] == 201
    await client.release(lost)
    assert await scarce.stock(client, body) == before


async def test_a_flight_sells_each_seat_once(system: Any, http: aiohttp.ClientSession) -> None:
    client = Client(http, system.partners["flight"])
    body = {"flight_no": "JL123", "date": far_day().isoformat(), "seats": 20}
    answers = await asyncio.gather(*(client.put(new_key(), body) for _ in range(40)))
    assert sorted(status for status, _ in answers) == [201] * 10 + [409] * 30


async def test_many_equal_holds_make_one(case: Case, client: Client) -> None:
    key, body = new_key(), case.good()
    before = await case.stock(client, body)
    answers = await asyncio.gather(*(client.put(key, body) for _ in range(REPEATS)))
    assert sorted(status for status, _ in answers) == [200] * (REPEATS - 1) + [201]
    assert len({answer["reference"] for _, answer in answers}) == 1
    # `held` is unlike `before` by one body's worth: giving that one back restores it.
    await client.release(key)
    assert await case.stock(client, body) == before


async def test_many_equal_confirmations_and_releases_count_once(case: Case, client: Client) -> None:
    key, body = new_key(), case.good()
    before = await case.stock(client, body)
    await client.put(key, body)
    confirmed = await asyncio.gather(*(client.confirm(key) for _ in range(20)))
    released = await asyncio.gather(*(client.release(key) for _ in range(20)))
    assert {status for status, _ in confirmed + released} == {200}
    assert await case.stock(client, body) == before


async def test_a_release_overlapping_its_hold_always_ends_released(case: Case, client: Client) -> None:
    body = case.good()
    before = await case.stock(client, body)

    async def overlap() -> None:
        key = new_key()
        held, confirmed, released = await asyncio.gather(
            client.put(key, body), client.confirm(key), client.release(key)
        )
        assert held[0] == 201 or held[1]["code"] == "closed"
        assert confirmed[0] in {200, 404} or confirmed[1]["code"] == "closed"
        assert released[0] == 200
        assert (await client.get(key))[1]["status"] == "released"

    for _ in range(ROUNDS // 5):
        await asyncio.gather(*(overlap() for _ in range(5)))
    assert await case.stock(client, body) == before
