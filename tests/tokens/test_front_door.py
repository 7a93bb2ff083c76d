"""The front door's own process: what it makes of tokens, and of calls that come too often."""

import asyncio
import io
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from api.tokens import store as tokens
from api.tokens.caller import Caller, Scope
from config.settings import Settings
from record.pool import Pool
from tests.guard.own_postgres import OwnPostgres
from tests.patience import PATIENCE_S
from tests.tokens.issuer import AUDIENCE, ISSUER, IssuerServer
from tests.tokens.processes import FrontDoor, front_door

PER_MINUTE = 40
BIG = 5 * 1024 * 1024


@pytest.fixture(scope="module")
async def door(
    database_url: str, http: aiohttp.ClientSession, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[FrontDoor]:
    """A front door with a low limit."""
    log = tmp_path_factory.mktemp("door") / "log"
    async with front_door(database_url, http, log, TRIPS_REQUESTS_PER_MINUTE=str(PER_MINUTE)) as opened:
        yield opened


@pytest.fixture
async def token(pool: Pool) -> str:
    """A traveller's token of a tenant of the test's own."""
    return await tokens.make(pool, Caller(f"tenant-{uuid.uuid4()}", {Scope.TRAVELLER}, "mobile app"))


async def raw(door: FrontDoor, *headers: bytes, body: bytes = b"") -> tuple[int, bytes]:
    """A `GET /me` with these header lines, as they are: its status and the whole answer."""
    host, port = door.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = [b"GET /me HTTP/1.1", b"Host: x", b"Connection: close", *headers, b"", body]
    writer.write(b"\r\n".join(lines))
    async with asyncio.timeout(PATIENCE_S):
        answer = await reader.read()
    writer.close()
    return int(answer.split(b" ", 2)[1]), answer


async def test_a_token_says_who_calls(door: FrontDoor, pool: Pool) -> None:
    token = await tokens.make(pool, Caller("acme", {Scope.OPERATOR}, "Ada"))
    status, me = await door.call("GET", "/me", token)
    assert (status, me) == (
        200,
        {
            "tenant": "acme",
            "scope": "operator",
            "scopes": ["operator"],
            "name": "Ada",
            "lab": False,
            "broker": False,
            "codec": False,
            "temporal_ui": "http://127.0.0.1:8233/namespaces/default",
        },
    )


@pytest.mark.parametrize(
    "line",
    [
        b"Authorization:",
        b"Authorization: Bearer",
        b"Authorization: Bearer ",
        b"Authorization: Basic dXNlcjpwYXNz",
        b"Authorization: Bearer " + b"x" * 10_240,
        b"Authorization: Bearer \xff\xfe\xc3\xa4",
        b"Authorization: Bearer a.b c",
        b"Authorization: Bearer 0123456789abcdef." + b"A" * 43,
        b"X-Other: 1",
    ],
    ids=range(9),
)
async def test_no_valid_token_is_401(door: FrontDoor, line: bytes) -> None:
    status, answer = await raw(door, line)
    assert status == 401, answer
    assert b"www-authenticate: bearer\r\n" in answer.lower()
    assert b'"code":"unauthorised"' in answer


async def test_two_tokens_are_none(door: FrontDoor, token: str) -> None:
    line = f"Authorization: Bearer {token}".encode()
    assert (await raw(door, line))[0] == 200
    assert (await raw(door, line, line))[0] == 401


async def test_the_schemes_case_does_not_matter(door: FrontDoor, token: str) -> None:
    assert (await raw(door, f"authorization: bearer  {token} ".encode()))[0] == 200


async def test_a_revoked_token_is_refused_within_a_second(door: FrontDoor, pool: Pool, token: str) -> None:
    assert (await door.call("GET", "/me", token))[0] == 200
    await tokens.revoke(pool, token.partition(".")[0])
    async with asyncio.timeout(PATIENCE_S):
        while (await door.call("GET", "/me", token))[0] != 401:
            await asyncio.sleep(0.2)


@pytest.mark.parametrize("size", [0, 100, BIG])
async def test_a_refused_body_is_not_looked_at_and_the_connection_goes_on(
    door: FrontDoor, token: str, size: int
) -> None:
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(connector=connector) as http:
        one = FrontDoor(door.url, http, door.log)
        for path, held, expected in (("/trips", None, 401), ("/trips/x/steps/hotel/resolve", token, 403)):
            status, answer = await one.call("POST", path, held, data=io.BytesIO(b"{" * size))
            assert (status, answer["status"]) == (expected, expected)
            assert (await one.call("GET", "/healthz", None))[0] == 200


async def test_the_token_comes_before_all_else(door: FrontDoor, token: str) -> None:
    big: dict[str, Any] = {"data": io.BytesIO(b" " * BIG)}
    assert (await door.call("POST", "/trips", None, **big))[0] == 401
    assert (await door.call("POST", "/trips", token, data=io.BytesIO(b" " * BIG)))[0] == 413
    assert (await door.call("POST", "/trips", None, data=b"{"))[0] == 401
    assert (await door.call("POST", "/trips", token, data=b"{"))[0] == 415
    assert (await door.call("PUT", "/breakers/train", None, data=b"{"))[0] == 401
    assert (await door.call("PUT", "/breakers/train", token, data=b"{"))[0] == 403
    assert (await door.call("DELETE", "/trips", None))[0] == 401
    assert (await door.call("DELETE", "/trips", token))[0] == 405


async def test_too_many_requests_are_429_for_that_token_alone(
    door: FrontDoor, pool: Pool, token: str
) -> None:
    other = await tokens.make(pool, Caller("acme", {Scope.TRAVELLER}, "other"))
    statuses = [(await door.call("GET", "/me", token))[0] for _ in range(PER_MINUTE)]
    assert statuses == [200] * PER_MINUTE
    status, answer = await raw(door, f"Authorization: Bearer {token}".encode())
    while status == 200:  # what has been given back meanwhile
        status, answer = await raw(door, f"Authorization: Bearer {token}".encode())
    assert status == 429
    assert b'"code":"rate_limited"' in answer
    # Sixty seconds for forty requests: the next is due in a second and a half at most.
    assert b"retry-after: 1\r\n" in answer.lower() or b"retry-after: 2\r\n" in answer.lower()
    assert (await door.call("GET", "/me", other))[0] == 200
    assert (await door.call("GET", "/healthz", None))[0] == 200


async def test_a_token_is_neither_valid_nor_invalid_while_postgresql_is_away(
    door: FrontDoor, server: OwnPostgres, token: str
) -> None:
    server.stop()
    try:
        status, answer = await door.call("GET", "/me", token)
    finally:
        server.start()
    assert (status, answer["code"]) == (503, "record_unavailable")

    async def accepted() -> bool:
        return (await door.call("GET", "/me", token))[0] == 200

    async with asyncio.timeout(PATIENCE_S):
        while not await accepted():
            await asyncio.sleep(0.1)


async def test_readiness_names_what_is_out_and_no_address(door: FrontDoor) -> None:
    status, answer = await door.call("GET", "/readyz", None)
    assert (status, answer["status"]) == (503, "unavailable")
    assert answer["dependencies"] == {
        "postgres": "ok",
        "temporal": "no answer",
        "worker": "no answer",
        "search_attributes": "no answer",
        "schedules": "no answer",
    }


async def test_no_token_is_logged(door: FrontDoor, token: str) -> None:
    for path in ("/me", "/trips/none", "/breakers", "/nowhere"):
        await door.call("GET", path, token)
    await door.call("GET", "/me", "0" * 16 + ".unknown-secret")
    written = door.log.read_text()
    assert "Uvicorn running" in written
    assert token.split(".")[1] not in written and "unknown-secret" not in written


async def test_an_issuers_tokens_are_taken_in_place_of_stored_ones(
    database_url: str, http: aiohttp.ClientSession, token: str, tmp_path: Path
) -> None:
    issuer = IssuerServer()
    told = {
        "TRIPS_OIDC_ISSUER": ISSUER,
        "TRIPS_OIDC_AUDIENCE": AUDIENCE,
        "TRIPS_OIDC_KEYS_URL": issuer.url,
        "TRIPS_OIDC_LOOPBACK": "1",
    }
    async with front_door(database_url, http, tmp_path / "log", **told) as door:
        signed = issuer.sign(scope="trips:operator trips:fleet")
        status, answer = await door.call("GET", "/me", signed)
        assert (status, answer["code"]) == (503, "keys_unavailable")
    await issuer.start()
    async with front_door(database_url, http, tmp_path / "log", **told) as door:
        status, me = await door.call("GET", "/me", signed)
        assert (status, me["tenant"], me["scope"], me["name"]) == (200, "acme", "operator", "ada")
        assert (await door.call("GET", "/breakers", signed))[0] == 200
        assert (await door.call("GET", "/breakers", issuer.sign(scope="trips:operator")))[0] == 403
        assert (await door.call("GET", "/me", issuer.sign(aud="others")))[0] == 401
        assert (await door.call("GET", "/me", token))[0] == 401
    await issuer.stop()


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:1/keys", "0"),
        ("http://issuer.example/keys", "1"),
        ("http://127.0.0.1.example/keys", "1"),
        ("http://127.0.0.1@issuer.example/keys", "1"),
    ],
)
def test_keys_come_by_https(url: str, loopback: str) -> None:
    told = {"oidc_issuer": ISSUER, "oidc_audience": AUDIENCE, "oidc_loopback": loopback}
    with pytest.raises(ValueError, match="TRIPS_OIDC_KEYS_URL must be an https URL"):
        Settings.model_validate({**told, "oidc_keys_url": url})
    Settings.model_validate({**told, "oidc_keys_url": "https://issuer.example/keys"})


async def test_half_an_issuer_is_a_mistake(
    database_url: str, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match="TRIPS_OIDC_AUDIENCE"):
        async with front_door(database_url, http, tmp_path / "log", TRIPS_OIDC_ISSUER=ISSUER):
            pass
