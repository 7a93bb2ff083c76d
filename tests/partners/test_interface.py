"""Lists, bad input, tokens, health and OpenAPI, which all partners serve alike."""

from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from tests.partners.cases import Case
from tests.partners.client import Client, new_key

STRINGS: list[object] = [5, None, "", "x" * 201, "a\nb", "\ud800", ["x"]]
COUNTS: list[object] = [0, -1, 10**13, 10**400, 1.5, "1", True, None]
DATES: list[object] = ["2030-13-01", "tomorrow", 20300101, 1.9e9, None, "2030-01-01T00:00:00", "2030-1-1"]


def _bad_bodies(case: Case) -> list[tuple[str, object]]:
    """Bodies with one bad field each, and that field."""
    good = case.good()
    bad: list[tuple[str, object]] = []
    for fields, values in ((case.strings, STRINGS), (case.counts, COUNTS), (case.dates, DATES)):
        bad += [(field, {**good, field: value}) for field in fields for value in values]
    missing = [(field, {name: good[name] for name in good if name != field}) for field in good]
    return [*bad, *missing, ("surprise", {**good, "surprise": 1})]


async def test_bad_fields_are_named(case: Case, client: Client) -> None:
    key = new_key()
    for field, body in _bad_bodies(case):
        status, problem = await client.put(key, body)
        assert status == 422, body
        assert field in [error["field"] for error in problem["errors"]], body
        assert all(error["message"] for error in problem["errors"])
    assert (await client.get(key))[0] == 404


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": ',
        b"\xff\xfe",
        b"[" * 30_000,
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[]",
        b"null",
        b"7",
        b'"x"',
        b"",
    ],
)
async def test_broken_bodies(case: Case, client: Client, body: bytes) -> None:
    status, problem = await client.put(new_key(), body)
    assert status == 422
    assert problem["errors"][0]["field"] == "body"


@pytest.mark.parametrize("size", [64 * 1024 + 1, 5_000_000])
async def test_a_body_too_large(case: Case, client: Client, size: int) -> None:
    assert (await client.put(new_key(), b" " * size))[0] == 413


async def test_a_stay_must_end_after_it_begins(system: Any, http: aiohttp.ClientSession) -> None:
    client = Client(http, system.partners["hotel"])
    stay = {"hotel_id": "TYO-GRAND", "rooms": 1, "check_in": "2130-05-10"}
    for check_out in ("2130-05-10", "2130-05-09", "2130-07-10"):
        status, problem = await client.put(new_key(), {**stay, "check_out": check_out})
        assert status == 422
        assert "check_out" in problem["detail"]


@pytest.mark.parametrize("key", ["a\nb", "a\x00b", "x" * 201])
async def test_bad_keys(case: Case, client: Client, key: str) -> None:
    status, problem = await client.put(key, case.good())
    assert status == 422
    assert problem["errors"][0]["field"] == "key"


async def test_unusual_keys_are_kept_as_they_are(case: Case, client: Client) -> None:
    for odd in ("ö 🚄", "{a}:*", "a'b\"c", "$where", "%"):
        key = new_key() + odd
        status, held = await client.put(key, case.good())
        assert (status, held["key"]) == (201, key)
        assert (await client.put(key, case.other(case.good())))[0] == 422
        from_list = await client.call("GET", "/reservations?status=held&limit=500")
        assert from_list[0] == 200
        await client.call("DELETE", f"/reservations/{quote(key, safe='')}")


@pytest.mark.parametrize(
    ("method", "path", "expected"), [("GET", "/nowhere", 404), ("PATCH", "/healthz", 405)]
)
async def test_unknown_calls(case: Case, client: Client, method: str, path: str, expected: int) -> None:
    assert (await client.call(method, path))[0] == expected


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "cursor=x", "cursor=W10", "cursor=%00", "status=lost"]
)
async def test_bad_list_queries(case: Case, client: Client, query: str) -> None:
    status, problem = await client.call("GET", f"/reservations?{query}")
    assert status == 422
    assert problem["errors"][0]["field"] == query.split("=", maxsplit=1)[0]


async def test_a_list_visits_each_reservation_once(case: Case, client: Client) -> None:
    body = case.good()
    keys = {new_key() for _ in range(7)}
    for key in keys:
        await client.put(key, body)
    await client.release(min(keys))

    found = [item["key"] for item in await client.every("/reservations", limit=3 if case.last else 50)]
    assert len(found) == len(set(found))
    assert keys <= set(found)
    held = await client.every("/reservations?status=held")
    assert {item["status"] for item in held} == {"held"}
    assert keys & {item["key"] for item in held} == keys - {min(keys)}
    for key in keys:
        await client.release(key)


async def test_health_and_openapi(case: Case, client: Client) -> None:
    assert await client.call("GET", "/healthz") == (200, {"status": "ok"})
    status, document = await client.call("GET", "/openapi.json")
    assert status == 200
    put = document["paths"]["/reservations/{key}"]["put"]
    reference = put["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    schema = document["components"]["schemas"][reference.rsplit("/", 1)[1]]
    assert set(schema["properties"]) == set(case.good())


@pytest.mark.parametrize("token", [None, "", "wrong", "only-for-tests-", "ö"])
async def test_a_token_is_demanded_where_it_is_set(case: Case, second: Client, token: str | None) -> None:
    stranger = Client(second.http, second.base, token)
    key = new_key()
    for status, problem in (
        await stranger.put(key, case.good()),
        await stranger.put(key, b"x" * 100_000),
        await stranger.release(key),
        await stranger.call("GET", "/reservations"),
    ):
        assert (status, problem["code"]) == (401, "unauthorised")
    assert (await stranger.call("GET", "/healthz"))[0] == 200
    assert (await second.get(key))[0] == 404
