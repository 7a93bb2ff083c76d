"""Who may make a call: asked of its headers alone, before anything else of it is looked at."""

import hashlib
import math
from typing import Any

from fastapi import APIRouter, Security
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette import types

from api.door import Door
from api.tokens.caller import Caller, Scope
from serving.limits import limit_body, refuse
from serving.problems import documented, problem

MAX_TOKEN = 8192

ANY_CALL = {"record_unavailable": 503, "keys_unavailable": 503}
"""What any call with a token can meet, beside what is the token's own fault."""

_BEARER = HTTPBearer(
    scheme_name="bearer", auto_error=False, description="the token of a traveller or operator"
)


def guarded(scope: Scope, **options: Any) -> APIRouter:
    """A router whose every route demands a token of this scope; `options` are APIRouter's."""
    return APIRouter(
        route_class=_ROUTES[scope],
        # What is said of the scope in OpenAPI; the route itself sees to it.
        dependencies=[Security(_BEARER, scopes=[scope.value])],
        responses=documented(401, 403, 429, **ANY_CALL),
        **options,
    )


class _Guarded(APIRoute):
    demanded: Scope

    async def handle(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        admitted = await _admit(scope, self.demanded)
        if isinstance(admitted, JSONResponse):
            await refuse(admitted, scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = admitted
        await limit_body(super().handle)(scope, receive, send)


class _TravellersRoute(_Guarded):
    demanded = Scope.TRAVELLER


class _OperatorsRoute(_Guarded):
    demanded = Scope.OPERATOR


_ROUTES = {Scope.TRAVELLER: _TravellersRoute, Scope.OPERATOR: _OperatorsRoute}


async def _admit(scope: types.Scope, demanded: Scope) -> Caller | JSONResponse:
    """The caller, or why the call is refused. Raises what `Verify` raises."""
    door: Door = scope["app"].state.door
    token = _bearer_token(scope)
    caller = await door.verify(token) if token else None
    if token is None or caller is None:
        headers = {"WWW-Authenticate": "Bearer"}
        return problem(401, "unauthorised", "a valid bearer token is needed", headers=headers)
    if not caller.may(demanded):
        return problem(403, "forbidden", f"this call is for a token of the scope {demanded}")
    wait_s = door.rates.wait_s(hashlib.sha256(token.encode()).digest())
    if wait_s:
        limit = f"{door.settings.requests_per_minute} requests a minute"
        headers = {"Retry-After": str(math.ceil(wait_s))}
        return problem(429, "rate_limited", f"over the token's {limit}; wait a little", headers=headers)
    return caller


def _bearer_token(scope: types.Scope) -> str | None:
    """The token of the one `Authorization` header (RFC 6750), if it can be one."""
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(given) != 1:
        return None
    scheme, _, token = given[0].partition(b" ")
    if scheme.lower() != b"bearer" or len(token) > MAX_TOKEN or not token.isascii():
        return None
    return str(token, "ascii").strip()
