"""A partner that is hostile on the wire, by the size of its answers, by its slowness or in its health."""

import asyncio
import gc
import gzip
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import lru_cache

import psutil
import pytest
from aiohttp import web

from audit.errors import AuditError
from audit.partners import PartnerReader
from serving.client import MAX_BODY, HttpClient, NoReply, ailment, open_client
from serving.upstream import Upstream
from tests.answers.ground import serving
from tests.patience import PATIENCE_S
from trip.partner import Partner

MIB = 1024 * 1024
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
WELL = b'{"status": "ok"}'
Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def speaking(speak: Speak) -> AsyncIterator[HttpClient]:
    """A client of a server that says on each connection whatever it likes."""

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await speak(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(on_connection, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with open_client(Upstream(f"http://127.0.0.1:{port}")) as client:
            yield client
    finally:
        server.close()


def saying(*parts: bytes) -> Speak:
    async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return speak


async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A body without end, as fast as it is read."""
    writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b" " * 65_536 + b"\r\n")
        await writer.drain()


async def dripping(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A byte at a time, each in time for a limit on silence."""
    writer.write(HEAD + b"Content-Length: 1000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


@lru_cache(maxsize=1)
def bomb() -> bytes:
    return gzip.compress(b"0" * (100 * MIB), compresslevel=1)


BROKEN: dict[str, Speak] = {
    "no HTTP": saying(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "nothing": saying(),
    "cut in its head": saying(HEAD),
    "cut in its body": saying(HEAD + b"Content-Length: 100\r\n\r\n{"),
    "a bad chunk": saying(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "two lengths": saying(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}"),
    "a header without end": saying(HEAD + b"X: " + b"x" * MIB),
    "headers without end": saying(HEAD, *(b"X-%d: x\r\n" % number for number in range(10_000))),
    "NUL in a header": saying(HEAD + b"X: a\0b\r\n\r\n{}"),
    "dripping": dripping,
    "silent": silent,
}


@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_no_http_is_no_reply(name: str) -> None:
    async with speaking(BROKEN[name]) as client:
        with pytest.raises(NoReply) as raised:
            await client.ask("GET", "/", limit_s=0.5)
    assert str(raised.value).isprintable() and len(str(raised.value)) <= 300
    assert raised.value.timed_out == (name in ("dripping", "silent"))


async def test_of_an_endless_body_little_is_read() -> None:
    async with speaking(endless) as client:
        before = memory()
        reply = await client.ask("GET", "/", limit_s=PATIENCE_S)
        assert (reply.status, reply.body) == (200, b"")
        assert memory() - before < 20 * MIB


async def test_a_bomb_is_not_unpacked() -> None:
    zipped = HEAD + b"Connection: close\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb())
    async with speaking(saying(zipped, bomb())) as client:
        before = memory()
        reply = await client.ask("GET", "/", limit_s=PATIENCE_S, max_body=4 * MIB)
        assert reply.body == bomb()
        assert "not" in (await ailment(client, 5) or "")
        with pytest.raises(AuditError):
            await PartnerReader(Partner("flight"), client).read()
        assert memory() - before < 20 * MIB


def memory() -> int:
    gc.collect()
    return int(psutil.Process(os.getpid()).memory_info().rss)


async def test_no_redirect_is_followed_no_cookie_kept_and_no_request_repeated() -> None:
    seen: list[web.Request] = []

    async def handle(request: web.Request) -> web.Response:
        seen.append(request)
        if request.path == "/cut":
            assert request.transport is not None
            request.transport.close()
        return web.Response(status=302, headers={"Location": "/healthz", "Set-Cookie": "a=b; Path=/"})

    async with (
        serving(handle) as port,
        open_client(Upstream(f"http://localhost:{port}", "a-token")) as client,
    ):
        for _ in range(3):
            assert (await client.ask("PUT", "/", json={}, limit_s=PATIENCE_S)).status == 302
        with pytest.raises(NoReply):
            await client.ask("PUT", "/cut", json={}, limit_s=PATIENCE_S)
    assert [request.path for request in seen] == ["/", "/", "/", "/cut"]
    assert {request.headers["Authorization"] for request in seen} == {"Bearer a-token"}
    assert {request.headers["Accept-Encoding"] for request in seen} == {"identity"}
    assert not any("Cookie" in request.headers for request in seen)


HEALTH: dict[str, tuple[int, bytes, str | None]] = {
    "well": (200, WELL, None),
    "well and more": (200, b'{"status": "ok", "version": 7}', None),
    "a login page": (200, b"<html><form>", 'did not answer {"status": "ok"}'),
    "a redirect": (302, WELL, "answered 302"),
    "nothing": (204, b"", "answered 204"),
    "another status": (200, b'{"status": "degraded"}', 'did not answer {"status": "ok"}'),
    "status true": (200, b'{"status": true}', 'did not answer {"status": "ok"}'),
    "a list": (200, b'["ok"]', 'did not answer {"status": "ok"}'),
    "a word": (200, b'"ok"', 'did not answer {"status": "ok"}'),
    "nested deep": (200, b"[" * 50_000, 'did not answer {"status": "ok"}'),
    "not UTF-8": (200, b'{"status": "\xff"}', 'did not answer {"status": "ok"}'),
    "too long": (200, WELL + b" " * MAX_BODY, 'did not answer {"status": "ok"}'),
    "ill": (503, WELL, "answered 503"),
    "created": (201, WELL, "answered 201"),
}


@pytest.mark.parametrize("name", HEALTH)
async def test_the_health_check(name: str) -> None:
    status, body, wrong = HEALTH[name]

    async def handle(_request: web.Request) -> web.Response:
        return web.Response(
            status=status, body=body, headers={"Location": "/login"} if status == 302 else None
        )

    async with serving(handle) as port, open_client(Upstream(f"http://127.0.0.1:{port}")) as client:
        found = await ailment(client, 5)
    assert found == (None if wrong is None else f"health check {wrong}")
