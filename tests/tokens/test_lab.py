"""The lab through a front door that serves none, or whose partners are away, hang, or want a token."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from api.tokens import store as tokens
from api.tokens.caller import Caller, Scope
from record.pool import Pool
from stack.ports import free_port
from tests.patience import PATIENCE_S
from tests.tokens.processes import FrontDoor, front_door

FAULTS = {"down": True}
CALLS = (("GET", None), ("PUT", FAULTS), ("DELETE", None))


@pytest.fixture(scope="module")
async def token(pool: Pool) -> str:
    return await tokens.make(pool, Caller("default", {Scope.FLEET}, "a test"))


@contextlib.asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """A partner in this process."""
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def faults_of(answer: web.StreamResponse | None, seen: list[str]) -> web.Application:
    """A partner whose lab answers so, or never; `seen` gets each call's token."""

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers.get("Authorization", ""))
        if answer is None:
            await asyncio.sleep(3600)
        assert answer is not None
        return answer

    app = web.Application()
    app.router.add_route("*", "/lab/faults", handle)
    return app


async def lab_of(door: FrontDoor, token: str, partner: str) -> object:
    status, page = await door.call("GET", "/lab", token)
    assert status == 200, page
    return {item["partner"]: item["faults"] for item in page["items"]}[partner]


async def test_without_the_lab_all_of_it_is_404(
    database_url: str, http: aiohttp.ClientSession, tmp_path: Path, token: str
) -> None:
    async with front_door(database_url, http, tmp_path / "log") as door:
        for method, body in CALLS:
            path = "/lab" if method == "GET" else "/lab/hotel"
            status, answer = await door.call(method, path, token, json=body)
            assert (status, answer["code"]) == (404, "lab_off")


async def test_a_lab_that_is_away_hangs_or_talks_nonsense_is_503(
    database_url: str, http: aiohttp.ClientSession, tmp_path: Path, token: str
) -> None:
    nonsense = web.json_response({"items": "?"})
    async with serving(faults_of(None, [])) as hanging, serving(faults_of(nonsense, [])) as odd:
        told = {
            "TRIPS_LAB": "1",
            "TRIPS_HOTEL_URL": f"http://127.0.0.1:{free_port()}",
            "TRIPS_TOUR_URL": hanging,
            "TRIPS_FLIGHT_URL": odd,
        }
        async with front_door(database_url, http, tmp_path / "log", **told) as door:
            for partner in ("hotel", "tour", "flight"):
                async with asyncio.timeout(PATIENCE_S):
                    status, answer = await door.call("PUT", f"/lab/{partner}", token, json=FAULTS)
                assert (status, answer["code"]) == (503, "lab_unavailable")
                assert partner in answer["detail"]
            assert await lab_of(door, token, "tour") is None


async def test_the_partners_own_token_is_sent_and_the_callers_is_not(
    database_url: str, http: aiohttp.ClientSession, tmp_path: Path, token: str
) -> None:
    seen: list[str] = []
    async with serving(faults_of(web.json_response(FAULTS), seen)) as partner:
        told = {"TRIPS_LAB": "1", "TRIPS_HOTEL_URL": partner, "TRIPS_HOTEL_TOKEN": "the-hotels"}
        async with front_door(database_url, http, tmp_path / "log", **told) as door:
            status, answer = await door.call("PUT", "/lab/hotel", token, json=FAULTS)
    assert (status, answer["faults"]["down"]) == (200, True)
    assert seen == ["Bearer the-hotels"]
