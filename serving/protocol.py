"""A connection of the server, with the limits that hold before the application sees a request.

uvicorn's protocol bounds neither the size of a request's head nor the time that a request takes. It loses the
body of a request that asks for an upgrade.
"""

import asyncio
from typing import Any, ClassVar

import httptools
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.connections import MAX_UNFINISHED, Connections, Entry
from serving.limits import CUT, SEND_TIMEOUT_S, refuse
from serving.manners import completed, with_manners
from serving.problems import problem, unavailable

MAX_HEAD = 32 * 1024
HEAD_TIMEOUT_S = 10.0
"""From the connection, or the first byte of a later request, to the end of the head."""
REST_TIMEOUT_S = 10.0
"""For what is left of a request when its answer is complete."""
LINGER_S = 1.0
MAX_LINGER = 1024 * 1024
"""After a refusal so much is read for so long, so that the sender sees the refusal."""
MOST_PIPELINED = 16
"""Requests that wait on a connection for the answer of the one before."""
COME_BACK_IN_S = 5

_PIECE = 16 * 1024
_BODY_WEIGHT = 8
"""Bytes around each byte of a body, in chunks, that are not too many."""
_OF_UPGRADES = {b"upgrade", b"http2-settings"}


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol with limits. A subclass has the `shared` connections of its process."""

    shared: ClassVar[Connections]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._address = ""
        self._is_in_head = True
        self._is_refused = False
        self._asks_upgrade = False
        # Bytes since the last request, or of its head, or around its body.
        self._around = 0
        self._unfinished = 0
        self._lingered = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        entry = self.shared.enter(self._address)
        if entry is Entry.CUT:
            transport.abort()
        elif entry is Entry.BUSY:
            self.app = with_manners(_too_many)
        self._set_deadline(HEAD_TIMEOUT_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self.shared.leave(self._address)
        self._finished()
        self._unset_deadline()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        position = 0
        while position < len(data) and not self._is_refused:
            position = self._feed(data, position)
        if self._is_refused:
            self._lingered += len(data) - position
            if self._lingered > MAX_LINGER:
                self.transport.abort()
        elif self._is_in_head:
            self._wait_for_head(len(data))

    def _feed(self, data: bytes, start: int) -> int:
        """Parse a piece of the data from `start` on. Returns up to where it is parsed."""
        piece = data[start : start + _PIECE] if len(data) > _PIECE else data[start:]
        parsed = len(piece)
        self._around += parsed
        try:
            try:
                self.parser.feed_data(piece)
            except httptools.HttpParserUpgrade as upgrade:
                parsed = upgrade.args[0]
                self._decline_upgrade()
        except httptools.HttpParserError as error:
            known = error.__context__
            self._refuse(*(known.args if isinstance(known, _RefusedHead) else _malformed(str(error))))
        if self._around > MAX_HEAD:
            self._refuse(*_HEAD_TOO_LARGE)
        return start + parsed

    def on_headers_complete(self) -> None:
        if self._around > MAX_HEAD and self._head_size() > MAX_HEAD:
            raise _RefusedHead(*_HEAD_TOO_LARGE)
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise _RefusedHead(*_NO_PROXY)
            self._asks_upgrade = True
            return
        if len(self.pipeline) >= MOST_PIPELINED:
            raise _RefusedHead(*_malformed(f"over {MOST_PIPELINED} requests wait for an answer"))
        self._check_framing()
        self.scope["extensions"] = {CUT: self.transport.abort}  # type: ignore[dict-item]  # for us alone
        super().on_headers_complete()
        self.headers = _Nowhere()
        self._is_in_head = False
        self._around = 0
        self._finished()
        self._unset_deadline()

    def _check_framing(self) -> None:
        version = self.parser.get_http_version()
        names = [name for name, _ in self.headers]
        if version not in ("1.0", "1.1"):
            raise _RefusedHead(*_malformed(f"HTTP/{version} is not served"))
        if version == "1.1" and names.count(b"host") != 1:
            raise _RefusedHead(*_malformed("Host: has to be sent once"))
        if b"transfer-encoding" in names:
            codings = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
            if version == "1.0" or codings != [b"chunked"]:
                raise _RefusedHead(*_OTHER_CODING)

    def on_body(self, body: bytes) -> None:
        self._around = max(self._around - _BODY_WEIGHT * len(body), 0)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._asks_upgrade:
            return
        super().on_message_complete()
        self._is_in_head = True
        self._around = 0
        self._unset_deadline()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            # To close waits for the reader.
            self.loop.call_later(SEND_TIMEOUT_S, self.transport.abort)
        elif not self._is_in_head and self.cycle.response_complete:
            self._set_deadline(REST_TIMEOUT_S)

    def timeout_keep_alive_handler(self) -> None:
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def _wait_for_head(self, received: int) -> None:
        if self._around:
            self._unfinished += received
            self.shared.unfinished += received
            if self.shared.unfinished > MAX_UNFINISHED:
                self._refuse(*_TOO_MUCH_UNFINISHED)
            elif self._deadline is None:
                self._set_deadline(HEAD_TIMEOUT_S)
        elif self.cycle is not None and self.cycle.response_complete and not self.transport.is_closing():
            # The rest of a request whose answer was complete.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _decline_upgrade(self) -> None:
        """Go on with HTTP/1.1, as if no upgrade were asked for: the parser skips the body of one that is."""
        self._asks_upgrade = False
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        for name, value in self.headers:
            kept = _without_upgrade(value) if name == b"connection" else value
            if name not in _OF_UPGRADES and kept:
                lines.append(b"%s: %s" % (name, kept))
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.parser.feed_data(b"\r\n".join([*lines, b"", b""]))

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _finished(self) -> None:
        if self._unfinished:
            self.shared.unfinished -= self._unfinished
            self._unfinished = 0

    def _refuse(self, status: int, code: str, detail: str) -> None:
        """Refuse what came last, and end the connection once earlier requests are answered."""
        if self._is_refused:
            return
        self._is_refused = True
        self._finished()
        self._unset_deadline()
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if is_answering and self._is_in_head:
            self.cycle.keep_alive = False
            self.flow.pause_reading()
            return
        if is_answering and (self.cycle.response_started or self.pipeline):
            self.transport.abort()
            return
        if is_answering:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write(_refusal(status, code, detail))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.abort)

    def _set_deadline(self, limit_s: float) -> None:
        self._unset_deadline()
        self._deadline = self.loop.call_later(limit_s, self._at_deadline)

    def _unset_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _at_deadline(self) -> None:
        if self._is_in_head and self._around:
            self._refuse(*_HEAD_TIMEOUT)
        else:
            self.transport.abort()


def protocol(connections: Connections) -> type[Protocol]:
    """The protocol of a process that counts its connections there."""
    return type("CountedProtocol", (Protocol,), {"shared": connections})


class _RefusedHead(Exception):
    """The head is refused, with status, code and detail. It ends the parsing."""


class _Nowhere(list[tuple[bytes, bytes]]):
    """Where trailers go: nobody reads them, and they are no headers."""

    def append(self, _header: tuple[bytes, bytes]) -> None:
        return


_HEAD_TOO_LARGE = (431, "head_too_large", f"the request's head is over {MAX_HEAD} bytes; send less")
_HEAD_TIMEOUT = (408, "head_timeout", "the request's head did not arrive in time")
_OTHER_CODING = (501, "not_implemented", "Transfer-Encoding: chunked alone is served, in HTTP/1.1")
_NO_PROXY = (501, "not_implemented", "this server is no proxy; CONNECT is not served")
_TOO_MUCH_UNFINISHED = (503, "too_many_connections", "too many requests are unfinished; come back later")


def _malformed(reason: str) -> tuple[int, str, str]:
    """`reason` is the parser's, which repeats nothing of the request, or one of those above."""
    return 400, "malformed_request", f"this is not a request in HTTP/1.1: {reason}"


def _refusal(status: int, code: str, detail: str) -> bytes:
    answer = problem(status, code, detail, headers={"Connection": "close"})
    head = b"".join(b"%s: %s\r\n" % header for header in completed(answer.raw_headers))
    return b"HTTP/1.1 %d \r\n%s\r\n%s" % (status, head, bytes(answer.body))


def _without_upgrade(connection: bytes) -> bytes:
    options = (option.strip() for option in connection.split(b","))
    return b", ".join(option for option in options if option.lower() not in _OF_UPGRADES)


async def _too_many(scope: Scope, receive: Receive, send: Send) -> None:
    answer = unavailable(
        "too_many_connections", "too many connections are open; come back later", COME_BACK_IN_S
    )
    answer.headers["Connection"] = "close"
    await refuse(answer, scope, receive, send)
