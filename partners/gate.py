"""The token that a call must bring before anything else is looked at."""

import hmac

from starlette.types import ASGIApp, Receive, Scope, Send

from serving.problems import problem


def _authorization(scope: Scope) -> bytes:
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    return given[0] if len(given) == 1 else b""


def demand_token(app: ASGIApp, token: str) -> ASGIApp:
    """`app`, behind a bearer token; the health check stays open."""
    expected = b"Bearer " + token.encode()

    async def gate(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != "/healthz":
            given = _authorization(scope)
            if not hmac.compare_digest(given, expected):
                headers = {"WWW-Authenticate": "Bearer"}
                answer = problem(401, "unauthorised", "a valid bearer token is needed", headers=headers)
                await answer(scope, receive, send)
                return
        await app(scope, receive, send)

    return gate
