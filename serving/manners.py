"""What every answer has, whatever the application: it is not kept, not guessed at, and HEAD gets no body."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ALWAYS = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]
_NOT_KEPT = (b"cache-control", b"no-store")
"""For an answer that does not say how long it may be kept."""


def with_manners(app: ASGIApp) -> ASGIApp:
    """`app`, which serves HEAD wherever it serves GET, and whose answers have the headers above."""

    async def gate(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return

        async def send_well(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = completed(message["headers"])
            await send(message)

        if scope["method"] == "HEAD":
            await app({**scope, "method": "GET"}, receive, _without_body(send_well))
        else:
            await app(scope, receive, send_well)

    return gate


def completed(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers, with those that every answer has."""
    names = {name for name, _ in headers}
    added = [header for header in (*_ALWAYS, _NOT_KEPT) if header[0] not in names]
    return [*headers, *added]


def _without_body(send: Send) -> Send:
    # After the end of the answer the server reports a disconnect, which ends a stream.
    is_ended = False

    async def send_head(message: Message) -> None:
        nonlocal is_ended
        if is_ended:
            return
        if message["type"] == "http.response.body":
            is_ended = True
            message = {"type": "http.response.body", "body": b""}
        await send(message)

    return send_head
