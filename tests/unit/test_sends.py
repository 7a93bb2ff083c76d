"""An answer that its caller does not take is cut off."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from serving.limits import limit_sends
from tests.patience import PATIENCE_S
from tests.serving import served

CHUNK = b"x" * 65_536
LAST_CHUNK = b"0\r\n\r\n"


async def chunks() -> AsyncIterator[bytes]:
    """More than any buffer holds."""
    while True:
        yield CHUNK
        await asyncio.sleep(0)


async def test_an_answer_that_nobody_takes_is_cut_off() -> None:
    gone = asyncio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await StreamingResponse(chunks())(scope, receive, send)
            gone.set()

    async with served(limit_sends(endless, 0.2)) as port:
        reader = socket.create_connection(("127.0.0.1", port))
        reader.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(PATIENCE_S):
            await gone.wait()
        assert not (await asyncio.to_thread(rest_of, reader)).endswith(LAST_CHUNK)


def rest_of(reader: socket.socket) -> bytes:
    """What is left to read, to the end of the connection."""
    reader.settimeout(PATIENCE_S)
    received = b""
    with reader, contextlib.suppress(ConnectionResetError):
        while some := reader.recv(1 << 20):
            received = some
    return received
