"""A partner whose engine goes away and comes back: 503 meanwhile, never a hang, and then as before."""

import asyncio

import pytest

from tests.partners.cases import CASES, Case
from tests.partners.client import Client, new_key, until
from tests.partners.proxy import Proxy

CASE_OF = {case.name: case for case in CASES}


async def assert_away(case: Case, client: Client, key: str) -> None:
    answers = await asyncio.gather(
        client.put(key, case.good()), client.confirm(key), client.get(key), client.call("GET", "/healthz")
    )
    assert [(status, problem["code"]) for status, problem in answers] == [(503, "engine_unavailable")] * 4


async def assert_back(case: Case, client: Client, key: str) -> None:
    async def healthy() -> bool:
        return (await client.call("GET", "/healthz"))[0] == 200

    await until(healthy)
    body = case.good()
    # Each other key, as the hold sent while the engine was away may have taken effect.
    assert (await client.put(f"{key}-after", body))[0] == 201
    assert (await client.release(f"{key}-after"))[0] == 200
    assert (await client.release(key))[0] == 200


@pytest.mark.parametrize("how", ["cut", "freeze"])
async def test_an_engine_that_is_away(
    how: str, seconds: dict[str, Client], proxies: dict[str, Proxy]
) -> None:
    async def away_and_back(name: str) -> None:
        key = new_key()
        getattr(proxies[name], how)()
        try:
            await assert_away(CASE_OF[name], seconds[name], key)
        finally:
            proxies[name].restore()
        await assert_back(CASE_OF[name], seconds[name], key)

    await asyncio.gather(*map(away_and_back, seconds))
