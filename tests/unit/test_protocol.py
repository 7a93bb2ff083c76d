"""Limits of a connection that hold before the application sees a request."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from serving import protocol
from serving.connections import Connections
from serving.protocol import MAX_HEAD, MOST_PIPELINED
from tests.patience import PATIENCE_S
from tests.serving import served

SHORT_S = 0.3
"""A limit of the server, made short."""


@dataclass
class Echo:
    """An application that answers with what it was sent. A request to /slow waits for `go_on`."""

    seen: list[Scope] = field(default_factory=list)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self.seen.append(scope)
        body = b""
        if scope["path"] != "/unread":
            more = True
            while more:
                message: Message = await receive()
                if message["type"] == "http.disconnect":
                    return
                body += message["body"]
                more = message["more_body"]
        if scope["path"] == "/slow":
            await self.go_on.wait()
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@dataclass
class Caller:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The next answer: status, headers and body. IncompleteReadError if the connection ends."""
        async with asyncio.timeout(PATIENCE_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {
                name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:-2])
            }
            body = await self.reader.readexactly(int(headers["content-length"]))
        return int(head[0].split()[1]), headers, body

    async def is_ended(self) -> bool:
        """Whether the server ends the connection without another byte."""
        with contextlib.suppress(ConnectionResetError):
            async with asyncio.timeout(PATIENCE_S):
                return await self.reader.read() == b""
        return True

    async def refusal(self, status: int) -> str:
        """The code of the refusal, which ends the connection."""
        found, headers, body = await self.answer()
        assert (found, headers["connection"]) == (status, "close")
        assert headers["content-type"] == "application/problem+json"
        assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
        assert await self.is_ended()
        problem: dict[str, Any] = json.loads(body)
        assert problem["status"] == status and problem["detail"]
        return str(problem["code"])


MALFORMED = "malformed_request"
CHUNKED_TOO = b"POST / HTTP/%s\r\nHost: x\r\n"
Call = Callable[[], Awaitable[Caller]]


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def taken() -> Connections:
    return Connections(most=12, most_of_an_address=10, spare=4)


@pytest.fixture
async def call(echo: Echo, taken: Connections) -> AsyncIterator[Call]:
    callers: list[Caller] = []
    async with served(echo, taken) as port:

        async def connected() -> Caller:
            callers.append(Caller(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)))
            return callers[-1]

        yield connected
        for caller in callers:
            caller.writer.close()
        async with asyncio.timeout(PATIENCE_S):
            while taken.open:
                await asyncio.sleep(0.01)
    assert (taken.unfinished, dict(taken.by_network)) == (0, {})


def head(size: int) -> bytes:
    """A request without a body, of so many bytes."""
    begun, end = b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ", b"\r\n\r\n"
    return begun + b"x" * (size - len(begun) - len(end)) + end


@pytest.mark.parametrize("step", [1 << 20, 5000, 700])
async def test_a_head_has_a_bound(call: Call, echo: Echo, step: int) -> None:
    caller = await call()
    for size in (MAX_HEAD - 100, MAX_HEAD + 100):
        sent = head(size)
        for at in range(0, size, step):
            await caller.send(sent[at : at + step])
            await asyncio.sleep(0)
        if size < MAX_HEAD:
            assert (await caller.answer())[0] == 200
    assert await caller.refusal(431) == "head_too_large"
    assert len(echo.seen) == 1


@pytest.mark.parametrize(
    "begun",
    [b"GET /", b"GET / HTTP/1.1\r\nHost: x\r\n", b"GET / HTTP/1.1\r\nX-Long: ", b"\r\n"],
    ids=["path", "headers", "one header", "nothing but line ends"],
)
async def test_an_endless_head_is_cut_off(call: Call, begun: bytes, echo: Echo, taken: Connections) -> None:
    """Whatever it is that never ends, the connection does, and little of it was kept."""
    caller = await call()
    piece = b"\r\n" * 8192 if begun == b"\r\n" else b"x" * 16_384
    if begun.endswith(b"x\r\n"):
        piece = b"X-Other: 1\r\n" * 1365
    await caller.send(begun)
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < 128 * 1024 * 1024:
            await caller.send(piece)
            sent += len(piece)
    assert sent < 16 * 1024 * 1024, "as much as the two sockets keep, and no more"
    assert taken.unfinished == 0
    assert not echo.seen


CHUNKED = b"POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"


async def test_trailers_are_no_headers(call: Call, echo: Echo) -> None:
    caller = await call()
    await caller.send(CHUNKED % b"/" + b"Authorization: later\r\n\r\n")
    assert (await caller.answer())[0] == 200
    assert [name for name, _ in echo.seen[0]["headers"]] == [b"host", b"transfer-encoding"]


@pytest.mark.parametrize("path", [b"/", b"/unread"])
@pytest.mark.parametrize("line", [b"X-Other: 1\r\n", b"x"], ids=["many", "one"])
async def test_endless_trailers_are_cut_off(call: Call, path: bytes, line: bytes) -> None:
    caller = await call()
    await caller.send(CHUNKED % path + b"X-Trailer: ")
    if path == b"/unread":
        assert (await caller.answer())[0] == 200
    with contextlib.suppress(ConnectionError):
        for _ in range(4096):
            await caller.send(line * (16_384 // len(line)))
        raise AssertionError("64 MiB were taken")


async def test_a_body_in_very_small_chunks_is_taken(call: Call) -> None:
    caller = await call()
    await caller.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    await caller.send(b"1\r\nx\r\n" * 60_000 + b"0\r\n\r\n")
    assert (await caller.answer())[2] == b"x" * 60_000


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Le"])
async def test_a_head_has_to_arrive_in_time(call: Call, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", SHORT_S)
    caller = await call()
    await caller.send(sent)
    if sent:
        assert await caller.refusal(408) == "head_timeout"
    assert await caller.is_ended()


async def test_a_head_that_trickles_has_no_more_time(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = await call()
    await caller.send(head(100))
    assert (await caller.answer())[0] == 200
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", SHORT_S)

    async def trickle() -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                await caller.send(b"x")
                await asyncio.sleep(SHORT_S / 20)

    await caller.send(b"GET / HTTP/1.1\r\nX-Long: ")
    trickling = asyncio.create_task(trickle())
    assert await caller.refusal(408) == "head_timeout"
    trickling.cancel()


async def test_what_is_left_of_an_answered_request_has_to_arrive_in_time(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "REST_TIMEOUT_S", SHORT_S)
    caller = await call()
    await caller.send(b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nx")
    assert (await caller.answer())[0] == 200
    assert await caller.is_ended()


async def test_an_upgrade_is_declined_and_the_body_kept(call: Call, echo: Echo) -> None:
    caller = await call()
    body = b"x" * 50_000
    for framing, sent in (
        (b"Content-Length: 50000", body),
        (b"Transfer-Encoding: chunked", b"c350\r\n" + body + b"\r\n0\r\n\r\n"),
    ):
        await caller.send(
            b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            b"HTTP2-Settings: AAMAAABk\r\nX-Kept: 1\r\n" + framing + b"\r\n\r\n" + sent
        )
        status, _, answered = await caller.answer()
        assert (status, answered) == (200, body)
        scope = echo.seen[-1]
        assert (scope["path"], scope["query_string"]) == ("/a", b"b=c")
        names = [name for name, _ in scope["headers"]]
        assert b"x-kept" in names and b"upgrade" not in names and b"http2-settings" not in names
    await caller.send(
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + head(100)
    )
    assert [(await caller.answer())[0] for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, MALFORMED),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, MALFORMED),
        (b"CONNECT there:80 HTTP/1.1\r\nHost: there\r\n\r\n", 501, "not_implemented"),
        (b"GET \xff HTTP/1.1\r\nHost: x\r\n\r\n", 400, MALFORMED),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, MALFORMED),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, MALFORMED),
        (b"GET / HTTP/1.1\r\nBad Header: 1\r\n\r\n", 400, MALFORMED),
        (b"GET /\r\n\r\n", 400, MALFORMED),
        (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 400, MALFORMED),
        (CHUNKED_TOO % b"1.1" + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "not_implemented"),
        (CHUNKED_TOO % b"1.0" + b"Transfer-Encoding: chunked\r\n\r\n", 501, "not_implemented"),
    ],
)  # fmt: skip
async def test_what_is_no_request_is_refused(
    call: Call, echo: Echo, sent: bytes, status: int, code: str
) -> None:
    caller = await call()
    await caller.send(sent)
    assert await caller.refusal(status) == code
    assert not echo.seen


async def test_requests_in_a_row_are_answered_in_order_and_bounded(call: Call, echo: Echo) -> None:
    caller = await call()
    await caller.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(5)))
    assert [(await caller.answer())[0] for _ in range(5)] == [200] * 5
    assert [scope["path"] for scope in echo.seen] == [f"/{number}" for number in range(5)]
    await caller.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" + head(60) * 200)
    await asyncio.sleep(0)
    echo.go_on.set()
    assert [(await caller.answer())[0] for _ in range(MOST_PIPELINED + 1)] == [200] * (MOST_PIPELINED + 1)
    assert await caller.is_ended()


async def test_connections_are_bounded_in_all_and_by_address(call: Call, taken: Connections) -> None:
    callers = [await call() for _ in range(taken.most_of_an_address)]
    busy = [await call() for _ in range(taken.spare)]
    assert await (await call()).is_ended()
    for caller in busy:
        await caller.send(head(100))
        assert await caller.refusal(503) == "too_many_connections"
    for caller in callers:
        await caller.send(head(100))
        assert (await caller.answer())[0] == 200


async def test_unfinished_heads_are_bounded_together(
    call: Call, monkeypatch: pytest.MonkeyPatch, taken: Connections
) -> None:
    monkeypatch.setattr(protocol, "MAX_UNFINISHED", 2 * MAX_HEAD)
    callers = [await call() for _ in range(3)]
    for caller in callers:
        await caller.send(head(MAX_HEAD)[:-1000])
    refusals = [asyncio.create_task(caller.refusal(503)) for caller in callers]
    (first, *others), waiting = await asyncio.wait(refusals, return_when=asyncio.FIRST_COMPLETED)
    assert (first.result(), others, len(waiting)) == ("too_many_connections", [], 2)
    for task in waiting:
        task.cancel()
