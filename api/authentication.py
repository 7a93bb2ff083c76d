"""Who makes a call, and whether they may: known from the headers, before the body is read."""

import math
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Security
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from starlette import types

from api.door import Door
from api.tokens.caller import Caller, Scope
from api.tokens.keys import KeysAway
from api.tokens.verify import TooManyRefusals
from record.acts import Act, Outcome
from record.pool import RecordAway
from serving.connections import network_of
from serving.fields import shown
from serving.limits import MAX_BODY, limit_body, refuse
from serving.problems import documented, problem
from serving.routes import StrictRoute

MAX_TOKEN = 8192

SIGN_IN = "sign_in"
"""The act of who comes with a token."""

_READS = frozenset({"GET", "HEAD"})
_NO_ACT = "book_trip"
"""A trip is its own record."""

ANY_CALL = {
    "record_unavailable": 503,
    "keys_unavailable": 503,
    "too_many_connections": 503,
    "stopping": 503,
}
"""The refusals of any call with a token that are not the token's fault."""

_BEARER = HTTPBearer(
    scheme_name="bearer", auto_error=False, description="a token with the scope that the call demands"
)


def authenticated(*scopes: Scope, **options: Any) -> APIRouter:
    """A router whose routes demand a token of one of these scopes. `options` are APIRouter's."""
    return APIRouter(
        **{"route_class": _ROUTES[scopes]} | options,
        # For the OpenAPI document alone: the route class checks the token. Both scopes in one requirement
        # would be demanded together, so a route names the second one itself.
        dependencies=[Security(_BEARER, scopes=[scopes[0].value])],
        responses=documented(401, 403, 422, 429, **ANY_CALL),
    )


class _AuthenticatedRoute(StrictRoute):
    # A dependency would come too late: FastAPI reads the body before it calls any.
    demanded: tuple[Scope, ...]
    most_bytes = MAX_BODY

    async def handle(self, scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        door: Door = scope["app"].state.door
        found = await self._authenticate(scope, door)
        if isinstance(found, JSONResponse):
            await refuse(found, scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = found
        if scope["method"] not in _READS and self.name != _NO_ACT:
            send = _noted(send, door, self._act(scope, found))
        await limit_body(super().handle, self.most_bytes)(scope, receive, send)

    async def _authenticate(self, scope: types.Scope, door: Door) -> Caller | JSONResponse:
        """The caller, or the refusal. Raises RecordAway and KeysAway."""
        token, address = bearer_token(scope), address_of(scope)
        try:
            caller = await door.tokens.find(token, address) if token else None
        except TooManyRefusals as error:
            await door.acts.note(Act(SIGN_IN, "refused", target=address))
            detail = "too many tokens from this address were refused; wait a little"
            return problem(429, "rate_limited", detail, headers=_retry_after(error.wait_s))
        if caller is None:
            if token:
                await door.acts.note(Act(SIGN_IN, "refused", target=address))
            headers = {"WWW-Authenticate": "Bearer"}
            return problem(401, "unauthorised", "a valid bearer token is needed", headers=headers)
        if not any(caller.may(scope) for scope in self.demanded):
            await door.acts.note(self._act(scope, caller)._replace(outcome="refused"))
            needed = " or ".join(self.demanded)
            return problem(403, "forbidden", f"this call is for a token of the scope {needed}")
        wait_s = door.rates.wait_s((caller.tenant, caller.subject))
        if wait_s:
            limit = f"{door.settings.requests_per_minute} requests a minute"
            detail = f"over the token's {limit}; wait a little"
            return problem(429, "rate_limited", detail, headers=_retry_after(wait_s))
        return caller

    def _act(self, scope: types.Scope, caller: Caller) -> Act:
        target = "/".join(str(value) for value in scope.get("path_params", {}).values())
        return Act(self.name, "done", caller.tenant, caller.name, caller.subject, shown(target) or None)


def _noted(send: types.Send, door: Door, act: Act) -> types.Send:
    """`send`, which writes the act down before the answer begins."""

    async def noting(message: types.Message) -> None:
        if message["type"] == "http.response.start":
            status = message["status"]
            outcome: Outcome = "done" if status < 400 else "refused" if status < 500 else "failed"
            await door.acts.note(act._replace(outcome=outcome))
        await send(message)

    return noting


class _TravellersRoute(_AuthenticatedRoute):
    demanded = (Scope.TRAVELLER,)


class _OperatorsRoute(_AuthenticatedRoute):
    demanded = (Scope.OPERATOR,)


class FleetRoute(_AuthenticatedRoute):
    """A route for those who run what all tenants share."""

    demanded = (Scope.FLEET,)


class _OperatorsOrFleetRoute(_AuthenticatedRoute):
    demanded = (Scope.OPERATOR, Scope.FLEET)


_ROUTES: dict[tuple[Scope, ...], type[_AuthenticatedRoute]] = {
    route.demanded: route for route in (_TravellersRoute, _OperatorsRoute, FleetRoute, _OperatorsOrFleetRoute)
}


async def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


CurrentCaller = Annotated[Caller, Depends(_caller)]
"""The caller of an authenticated route."""


async def is_still_allowed(request: Request) -> bool:
    """Whether the token of a call that goes on for long still allows it. True if that cannot be known now."""
    door: Door = request.app.state.door
    try:
        caller = await door.tokens.find(bearer_token(request.scope) or "", address_of(request.scope))
    except (RecordAway, KeysAway, TooManyRefusals):
        return True
    return caller is not None


def _retry_after(wait_s: float) -> dict[str, str]:
    return {"Retry-After": str(math.ceil(wait_s))}


def address_of(scope: types.Scope) -> str:
    """Whose refusals are counted together."""
    client: tuple[str, int] | None = scope.get("client")
    return network_of(client[0]) if client else ""


def is_known(door: Door, scope: types.Scope) -> bool:
    """Whether the call's token was valid when it was looked up last."""
    token = bearer_token(scope)
    return token is not None and door.tokens.has_accepted(token)


def bearer_token(scope: types.Scope) -> str | None:
    """The token of the only `Authorization` header (RFC 6750), if it may be one."""
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(given) != 1:
        return None
    scheme, _, token = given[0].partition(b" ")
    if scheme.lower() != b"bearer" or len(token) > MAX_TOKEN or not token.isascii():
        return None
    return str(token, "ascii").strip()
