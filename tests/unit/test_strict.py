"""What a caller can hardly mean is refused, and HEAD is served wherever GET is."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import aiohttp
import pytest
from fastapi import APIRouter, FastAPI, Header
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute

from api.app import create_app
from config.settings import Settings
from partners.app import create_app as create_partner
from partners.catalogue import PARTNERS
from partners.service import load
from serving.fields import Body, Count, Identifier
from serving.limits import limit_body
from serving.manners import with_manners
from serving.problems import MAX_ERRORS, add_handlers
from serving.routes import StrictRoute
from tests.serving import served

OPEN = {"/healthz", "/readyz", "/metrics", "/openapi.json", "/asyncapi.json"}
"""Paths that take any parameter, since whoever watches them may add one."""

LARGEST = 8000
"""Bytes of a refusal at most, whatever was sent."""


class Room(Body):
    name: Identifier
    beds: Count


class Wanted(Body):
    rooms: list[Room]
    price: float = 0


router = APIRouter(route_class=StrictRoute)


class Lenient(StrictRoute):
    takes_any_parameter = True


async def anything(limit: int = 50) -> dict[str, int]:
    return {"limit": limit}


router.add_api_route("/any", anything, methods=["GET"], route_class_override=Lenient)


@router.post("/wanted")
async def want(
    wanted: Wanted,
    idempotency_key: Annotated[str | None, Header()] = None,
    prefer: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    return {"prefer": prefer, "key": idempotency_key, "wanted": wanted.model_dump()}


@router.get("/wanted")
async def listed(limit: int = 50) -> dict[str, int]:
    return {"limit": limit}


@router.get("/endless")
async def endless() -> StreamingResponse:
    async def more() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.01)

    return StreamingResponse(more())


@pytest.fixture(scope="module")
async def url() -> AsyncIterator[str]:
    app = FastAPI()
    add_handlers(app)
    app.include_router(router)
    async with served(with_manners(limit_body(app))) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
        yield session


GOOD = '{"rooms": [{"name": "a", "beds": 1}]}'
JSON = {"Content-Type": "application/json"}


async def refused(answer: aiohttp.ClientResponse) -> tuple[int, str, str]:
    """Status, code and first field of a problem, which is short."""
    body = await answer.read()
    assert answer.content_type == "application/problem+json", body
    assert len(body) < LARGEST
    problem = json.loads(body)
    field = problem["errors"][0]["field"]
    assert field in problem["detail"]
    return answer.status, problem["code"], field


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"rooms": [], "rooms": []}', "rooms"),
        ('{"rooms": [{"name": "a", "beds": 1}, {"name": "a", "name": "b", "beds": 1}]}', "rooms.1.name"),
        (r'{"rooms": [], "price": 1, "\u0070rice": 2}', "price"),
        ('{"rooms": [], "price": NaN}', "body"),
        ('{"rooms": [], "price": -Infinity}', "body"),
        ('{"rooms": [], "price": 1e999}', "body"),
        (r'{"rooms": [{"n\ud800": 1}]}', "rooms.0.n"),
        (r'{"rooms": [{"name": "\udfff", "beds": 1}]}', "rooms.0.name"),
        (r'"\udfff"', "body"),
        (r'{"\ud800": 1}', "body"),
        ('{"rooms": [], "price": ' + "9" * 5000 + "}", "body"),
        ('{"rooms": ' + "[" * 30_000, "body"),
        ("{'rooms': []}", "body"),
        ('{"rooms": []} {}', "body"),
        ("\ufeff" + GOOD, "body"),
        (GOOD.encode("utf-16"), "body"),
        (GOOD.encode("utf-16-le"), "body"),
        (GOOD.encode("utf-32"), "body"),
        (GOOD.replace("a", "ä").encode("latin-1"), "body"),
    ],
)  # fmt: skip
async def test_a_body_that_two_readers_could_read_differently_is_refused(
    url: str, http: aiohttp.ClientSession, body: str | bytes, field: str
) -> None:
    sent = body.encode() if isinstance(body, str) else body
    async with http.post(f"{url}/wanted", data=sent, headers=JSON) as answer:
        assert await refused(answer) == (422, "broken_json", field)


async def test_whole_characters_are_taken_however_they_are_written(
    url: str, http: aiohttp.ClientSession
) -> None:
    for name in (r"\ud83d\ude00", "😀", r"\\ud800"):
        body = GOOD.replace('"a"', f'"{name}"').encode()
        async with http.post(f"{url}/wanted", data=body, headers=JSON) as answer:
            assert answer.status == 200
            found = (await answer.json())["wanted"]["rooms"][0]["name"]
            assert found == json.loads(f'"{name}"')


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        ({"Content-Type": "text/plain"}, "Content-Type"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "Content-Type"),
        ({"Content-Type": "application/json; charset=utf-16"}, "Content-Type"),
        ({"Content-Type": ""}, "Content-Type"),
        (JSON | {"Content-Encoding": "gzip"}, "Content-Encoding"),
    ],
)
async def test_another_kind_of_body_is_refused(
    url: str, http: aiohttp.ClientSession, headers: dict[str, str], field: str
) -> None:
    async with http.post(f"{url}/wanted", data=GOOD.encode(), headers=headers) as answer:
        assert await refused(answer) == (415, "unsupported_media_type", field)


@pytest.mark.parametrize(
    "kind", ["application/json; charset=UTF-8", 'application/json;charset="utf-8"', "application/x.y+json"]
)
async def test_json_by_any_of_its_names_is_taken(url: str, http: aiohttp.ClientSession, kind: str) -> None:
    async with http.post(f"{url}/wanted", data=GOOD.encode(), headers={"Content-Type": kind}) as answer:
        assert answer.status == 200


async def test_a_header_that_has_one_value_is_taken_once(url: str, http: aiohttp.ClientSession) -> None:
    twice = [("Content-Type", "application/json"), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    async with http.post(f"{url}/wanted", data=GOOD.encode(), headers=twice) as answer:
        assert await refused(answer) == (422, "invalid", "Idempotency-Key")


async def test_lines_of_a_list_stand_for_one_list(url: str, http: aiohttp.ClientSession) -> None:
    lines = [("Content-Type", "application/json"), ("Prefer", "respond-async"), ("Prefer", "wait=5")]
    async with http.post(f"{url}/wanted", data=GOOD.encode(), headers=lines) as answer:
        assert (await answer.json())["prefer"] == "respond-async, wait=5"


@pytest.mark.parametrize(
    ("query", "field"),
    [("limit=1&limit=2", "limit"), ("page=2", "page"), ("limit=1&x", "x"), ("Limit=1", "Limit")],
)
async def test_a_parameter_is_taken_once_and_has_to_be_known(
    url: str, http: aiohttp.ClientSession, query: str, field: str
) -> None:
    async with http.get(f"{url}/wanted?{query}") as answer:
        assert await refused(answer) == (422, "invalid", field)


async def test_a_route_may_take_any_parameter(url: str, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{url}/any?page=2&page=3&limit=7") as answer:
        assert (answer.status, await answer.json()) == (200, {"limit": 7})


@pytest.mark.parametrize(
    "body",
    [
        {"rooms": [{"name": "x" * 201, "beds": 0}] * 200},
        {"x" * 60_000: 1},
        {f"unknown{number}": number for number in range(3000)},
        {"rooms": [{"n" * 30_000: 1}]},
    ],
)
async def test_a_refusal_is_short_whatever_was_sent(
    url: str, http: aiohttp.ClientSession, body: dict[str, Any]
) -> None:
    async with http.post(f"{url}/wanted", json=body) as answer:
        problem = await answer.json()
        status, code, _ = await refused(answer)
    assert (status, code) == (422, "invalid")
    assert len(problem["errors"]) <= MAX_ERRORS


@pytest.mark.parametrize("path", ["/wanted", "/endless", "/unknown", "/wanted?limit=x", "/openapi.json"])
async def test_head_is_answered_as_get_without_the_body(
    url: str, http: aiohttp.ClientSession, path: str
) -> None:
    async with http.get(url + path) as got, http.head(url + path) as headed:
        assert (headed.status, await headed.read()) == (got.status, b"")
        assert headed.headers.get("Content-Length") == got.headers.get("Content-Length")
        assert headed.content_type == got.content_type
        for answer in (got, headed):
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-store"
            assert "Server" not in answer.headers


async def test_another_method_is_told_of_head(url: str, http: aiohttp.ClientSession) -> None:
    async with http.put(f"{url}/wanted") as answer:
        assert (answer.status, set(answer.headers["Allow"].split(", "))) == (405, {"GET", "HEAD", "POST"})


def routes() -> Iterator[APIRoute]:
    """Every route of the front door and of each partner."""
    apps = [create_app(Settings(), asyncio.Event()), *(create_partner(load(one), None) for one in PARTNERS)]
    for app in apps:
        pending = list(app.router.routes)
        while pending:
            route = pending.pop()
            pending += getattr(route, "original_router", APIRouter()).routes
            if isinstance(route, APIRoute):
                yield route


def test_every_route_is_strict_but_for_those_that_are_watched() -> None:
    found = list(routes())
    assert {"/reservations/{key}", "/trips", "/inventory", "/ledger"} <= {route.path for route in found}
    lenient = {route.path for route in found if not isinstance(route, StrictRoute)}
    assert {path for path in lenient if not path.startswith(("/console", "/docs"))} == OPEN


def test_the_codec_takes_any_parameter_and_no_other_part_does() -> None:
    strict = [route for route in routes() if isinstance(route, StrictRoute)]
    lenient = {route.path for route in strict if route.takes_any_parameter}
    assert lenient == {route.path for route in strict if route.path.startswith("/codec")}
    assert lenient
