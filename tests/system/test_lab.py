"""The lab through the front door of a running system."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.conftest import RunningSystem
from trials.traveller import Traveller
from trip.partner import Partner

HEALTHY = {
    "down": False,
    "error_rate": 0.0,
    "status": 503,
    "retry_after_s": None,
    "latency_ms": 0,
    "drop_reply_rate": 0.0,
    "repeat_rate": 0.0,
    "hold_back_ms": 0,
    "verbs": ["PUT", "confirm", "DELETE"],
    "count": None,
}


@pytest.fixture
async def mended(traveller: Traveller) -> AsyncIterator[None]:
    yield
    await traveller.mend_partner("tour")


async def test_every_partner_is_shown(traveller: Traveller) -> None:
    status, page = await traveller.call("GET", "/lab")
    assert status == 200
    assert page["next_cursor"] is None
    assert [item["partner"] for item in page["items"]] == list(Partner)
    assert {"partner": "hotel", "faults": HEALTHY} in page["items"]


async def test_a_partner_is_broken_and_mended(traveller: Traveller, mended: None) -> None:
    wanted = {"latency_ms": 5, "verbs": ["confirm"], "count": 3}
    status, answer = await traveller.call("PUT", "/lab/tour", json=wanted)
    assert (status, answer) == (200, {"partner": "tour", "faults": HEALTHY | wanted})
    assert await traveller.read("tour", "/lab/faults") == HEALTHY | wanted
    _, page = await traveller.call("GET", "/lab")
    assert {"partner": "tour", "faults": HEALTHY | wanted} in page["items"]
    status, answer = await traveller.call("DELETE", "/lab/tour")
    assert (status, answer) == (200, {"partner": "tour", "faults": HEALTHY})
    assert await traveller.read("tour", "/lab/faults") == HEALTHY


async def test_a_broken_partners_lab_answers(traveller: Traveller, mended: None) -> None:
    await traveller.call("PUT", "/lab/tour", json={"down": True, "count": 1, "verbs": ["DELETE"]})
    _, page = await traveller.call("GET", "/lab")
    assert [item["faults"]["down"] for item in page["items"] if item["partner"] == "tour"] == [True]


@pytest.mark.parametrize(
    ("body", "field"),
    [({"error_rate": 2}, "error_rate"), ({"verbs": ["GET"]}, "verbs.0"), ({"on_fire": True}, "on_fire")],
)
async def test_bad_faults_change_nothing(traveller: Traveller, body: dict[str, object], field: str) -> None:
    status, answer = await traveller.call("PUT", "/lab/tour", json=body)
    assert (status, answer["errors"][0]["field"]) == (422, field)
    assert await traveller.read("tour", "/lab/faults") == HEALTHY


async def test_a_partner_that_is_none_is_422(traveller: Traveller) -> None:
    status, answer = await traveller.call("PUT", "/lab/train", json={})
    assert (status, answer["errors"][0]["field"]) == (422, "partner")


async def test_a_traveller_breaks_nothing(system: RunningSystem, http: aiohttp.ClientSession) -> None:
    someone = system.traveller(http, "traveller")
    for method, path in (("GET", "/lab"), ("PUT", "/lab/tour"), ("DELETE", "/lab/tour")):
        status, answer = await someone.call(method, path, json={"down": True})
        assert (status, answer["code"]) == (403, "forbidden")
    assert await someone.read("tour", "/lab/faults") == HEALTHY
