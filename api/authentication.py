"""Who makes a call, and whether they may: known from the headers, before the body is read."""

import hashlib
import math
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Security
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette import types

from api.door import Door
from api.tokens.caller import Caller, Scope
from serving.limits import limit_body, refuse
from serving.problems import documented, problem

MAX_TOKEN = 8192

ANY_CALL = {"record_unavailable": 503, "keys_unavailable": 503, "stopping": 503}
"""The refusals of any call with a token that are not the token's fault."""

_BEARER = HTTPBearer(
    scheme_name="bearer", auto_error=False, description="the token of a traveller or operator"
)


def authenticated(scope: Scope, **options: Any) -> APIRouter:
    """A router whose routes demand a token of this scope. `options` are APIRouter's."""
    return APIRouter(
        route_class=_ROUTES[scope],
        # For the OpenAPI document alone: the route class checks the token.
        dependencies=[Security(_BEARER, scopes=[scope.value])],
        responses=documented(401, 403, 429, **ANY_CALL),
        **options,
    )


class _AuthenticatedRoute(APIRoute):
    # A dependency would come too late: FastAPI reads the body before it calls any.
    demanded: Scope

    async def handle(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        found = await _authenticate(scope, self.demanded)
        if isinstance(found, JSONResponse):
            await refuse(found, scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = found
        await limit_body(super().handle)(scope, receive, send)


class _TravellersRoute(_AuthenticatedRoute):
    demanded = Scope.TRAVELLER


class _OperatorsRoute(_AuthenticatedRoute):
    demanded = Scope.OPERATOR


_ROUTES = {Scope.TRAVELLER: _TravellersRoute, Scope.OPERATOR: _OperatorsRoute}


async def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


CurrentCaller = Annotated[Caller, Depends(_caller)]
"""The caller of an authenticated route."""


async def _authenticate(scope: types.Scope, demanded: Scope) -> Caller | JSONResponse:
    """The caller, or the refusal. Raises what `Verify` raises."""
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
    """The token of the only `Authorization` header (RFC 6750), if it may be one."""
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(given) != 1:
        return None
    scheme, _, token = given[0].partition(b" ")
    if scheme.lower() != b"bearer" or len(token) > MAX_TOKEN or not token.isascii():
        return None
    return str(token, "ascii").strip()
