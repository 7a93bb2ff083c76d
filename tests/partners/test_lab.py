"""The lab's faults, on the second instances, which nobody else calls."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.partners.cases import Case
from tests.partners.client import LIMIT, Client, new_key, until


@pytest.fixture
async def lab(second: Client) -> AsyncIterator[Client]:
    yield second
    await second.call("DELETE", "/lab/faults")


async def faults(lab: Client, **wanted: Any) -> None:
    assert (await lab.call("PUT", "/lab/faults", wanted))[0] == 200


async def outcomes(lab: Client, key: str) -> list[tuple[str, str | None]]:
    status, calls = await lab.call("GET", f"/lab/calls?key={key}")
    assert status == 200
    assert calls["next_cursor"] is None
    assert [call["at"] for call in calls["items"]] == sorted(call["at"] for call in calls["items"])
    return [(call["verb"], call["outcome"]) for call in calls["items"]]


async def test_down_cuts_everything_but_the_lab(case: Case, lab: Client) -> None:
    key = new_key()
    await faults(lab, down=True)
    for call in (lab.put(key, case.good()), lab.get(key), lab.call("GET", "/healthz")):
        with pytest.raises(aiohttp.ClientConnectionError):
            await call
    assert await outcomes(lab, key) == [("PUT", "dropped")]
    await lab.call("DELETE", "/lab/faults")
    assert (await lab.call("GET", "/healthz"))[0] == 200
    assert (await lab.get(key))[0] == 404


async def test_a_dropped_reply_has_taken_effect(case: Case, lab: Client) -> None:
    key, body = new_key(), case.good()
    await faults(lab, drop_reply_rate=1.0, count=1)
    with pytest.raises(aiohttp.ClientConnectionError):
        await lab.put(key, body)
    status, held = await lab.get(key)
    assert (status, held["amount_minor"]) == (200, case.amount)
    await lab.release(key)
    assert await outcomes(lab, key) == [("PUT", "dropped"), ("DELETE", "200")]


async def test_errors_come_before_the_effect(case: Case, lab: Client) -> None:
    key, body = new_key(), case.good()
    await faults(lab, error_rate=1.0, status=429, retry_after_s=7, verbs=["PUT"], count=2)
    headers = {"Authorization": f"Bearer {lab.token}"}
    url = f"{lab.base}/reservations/{key}"
    async with lab.http.put(url, json=body, headers=headers, timeout=LIMIT) as response:
        assert response.status == 429
        assert response.headers["Retry-After"] == "7"
    assert (await lab.get(key))[0] == 404
    assert (await lab.confirm(key))[0] == 404
    assert (await lab.put(key, body))[0] == 429
    assert (await lab.put(key, body))[0] == 201
    await lab.release(key)
    assert await outcomes(lab, key) == [
        ("PUT", "429"),
        ("confirm", "404"),
        ("PUT", "429"),
        ("PUT", "201"),
        ("DELETE", "200"),
    ]


async def test_latency_comes_before_the_effect(case: Case, lab: Client) -> None:
    key = new_key()
    await faults(lab, latency_ms=30_000, verbs=["PUT"], count=1)
    slow = asyncio.create_task(lab.put(key, case.good()))

    async def arrived() -> bool:
        return await outcomes(lab, key) == [("PUT", None)]

    await until(arrived)
    assert (await lab.get(key))[0] == 404
    slow.cancel()
    await asyncio.wait([slow])


async def test_a_put_replaces_the_faults_before_it(case: Case, lab: Client) -> None:
    await faults(lab, error_rate=1.0, verbs=["DELETE"])
    await faults(lab, latency_ms=1)
    status, now = await lab.call("GET", "/lab/faults")
    assert status == 200
    assert (now["error_rate"], now["latency_ms"], now["verbs"]) == (0.0, 1, ["PUT", "confirm", "DELETE"])
    assert (await lab.release(new_key()))[0] == 200


@pytest.mark.parametrize(
    "wanted",
    [{"down": "yes"}, {"error_rate": 2}, {"status": 200}, {"verbs": ["GET"]}, {"count": 0}, {"surprise": 1}],
)
async def test_bad_faults_are_refused(case: Case, lab: Client, wanted: dict[str, Any]) -> None:
    status, problem = await lab.call("PUT", "/lab/faults", wanted)
    assert status == 422
    assert problem["errors"][0]["field"].split(".")[0] in wanted
