"""Limits on a request's body, kept before anything reads it, and on the time to answer and to send."""

import asyncio

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.problems import problem, unavailable

MAX_BODY = 64 * 1024
# A body that is too large is read up to here, so that its sender sees the answer. Then it is cut off.
MAX_DRAIN = 16 * 1024 * 1024
BODY_TIMEOUT_S = 10.0
SEND_TIMEOUT_S = 30.0

CUT = "cut"
"""The extension of a scope that cuts its connection off. To close it would wait for the reader."""


class BodyTooLargeError(Exception):
    """The body is over its limit."""


async def _read(receive: Receive, most: int = MAX_BODY) -> bytes | None:
    """The whole body; None if the caller has gone. Raises BodyTooLargeError after it has drained the body."""
    body = bytearray()
    size = 0
    more = True
    while more and size <= MAX_DRAIN:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size <= most:
            body += chunk
        more = message.get("more_body", False)
    if size > most:
        raise BodyTooLargeError
    return bytes(body)


async def refuse(answer: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Send `answer` after the request's body has passed unread, so that the connection can go on.

    If the body is over the limits, or waits for leave to be sent, the connection ends.
    """
    if any(name == b"expect" for name, _ in scope["headers"]):
        answer.headers["Connection"] = "close"
        await answer(scope, receive, send)
        return
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            await _read(receive)
    except (TimeoutError, BodyTooLargeError):
        answer.headers["Connection"] = "close"
    await answer(scope, receive, send)


def _replayed(body: bytes, receive: Receive) -> Receive:
    first = True

    async def replay() -> Message:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay


def limit_body(app: ASGIApp, most: int = MAX_BODY) -> ASGIApp:
    """`app`, with the body read beforehand: 413 over `most` bytes, 408 if it takes longer than 10 s."""

    async def gate(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            await app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                body = await _read(receive, most)
        except TimeoutError:
            answer = problem(
                408, "body_timeout", "the body did not arrive in time", headers={"Connection": "close"}
            )
            await answer(scope, receive, send)
        except BodyTooLargeError:
            detail = f"the body is over {most} bytes; send less"
            answer = problem(413, "too_large", detail, headers={"Connection": "close"})
            await answer(scope, receive, send)
        else:
            if body is not None:
                await app(scope, _replayed(body, receive), send)

    return gate


def limit_sends(app: ASGIApp, limit_s: float = SEND_TIMEOUT_S) -> ASGIApp:
    """`app`, with an answer cut off if its reader takes nothing for `limit_s` seconds."""

    async def gate(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            try:
                async with asyncio.timeout(limit_s):
                    await send(message)
            except TimeoutError:
                scope["extensions"][CUT]()

        await app(scope, receive, send_in_time)

    return gate


def answer_cut_calls(app: ASGIApp) -> ASGIApp:
    """`app`, with 503 for a call that is cut off because the process ends."""

    async def gate(scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await app(scope, receive, noting)
        except asyncio.CancelledError:
            if begun or scope["type"] != "http":
                raise
            answer = unavailable("stopping", "this process ends; the call may or may not have taken effect")
            await answer(scope, receive, send)

    return gate
