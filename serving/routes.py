"""Routes that refuse what a caller can hardly mean: what is sent twice, and what is unknown."""

import re
from collections.abc import Callable, Coroutine, Iterator
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from serving.bodies import read_json
from serving.problems import bad_field

_SINGLE = frozenset({b"content-type", b"content-encoding", b"idempotency-key", b"last-event-id"})
"""Headers of which one value counts. `Authorization` is checked with the token."""

_LISTS = frozenset({b"prefer"})
"""Headers that may be sent in several lines, which stand for one list."""

_JSON = re.compile(
    r"application/([\w.-]+\+)?json\s*(;\s*charset\s*=\s*\"?utf-8\"?\s*)?;?\s*", re.ASCII | re.IGNORECASE
)

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class StrictRequest(Request):
    """A request whose JSON is read strictly. Raises BadBody."""

    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            self._json = read_json(await self.body())
        return self._json


class StrictRoute(APIRoute):
    """A route that takes each header and parameter once, no unknown parameter, and strict JSON."""

    takes_any_parameter = False
    """Whether parameters are not looked at."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        known = frozenset(_query_names(self.dependant))
        takes_body = self.body_field is not None

        async def handle_strictly(request: Request) -> Response:
            wrong = (
                _wrong_header(request)
                or (None if self.takes_any_parameter else _wrong_query(request, known))
                or (_wrong_type(request) if takes_body else None)
            )
            if wrong is not None:
                return wrong
            return await handle(StrictRequest(request.scope, request.receive))

        return handle_strictly


def _wrong_header(request: Request) -> JSONResponse | None:
    headers: list[tuple[bytes, bytes]] = request.scope["headers"]
    watched = [name for name, _ in headers if name in _SINGLE or name in _LISTS]
    repeated = {name for name in watched if watched.count(name) > 1}
    for name in repeated & _SINGLE:
        return bad_field(name.decode().title(), "was sent twice; send it once")
    if repeated:
        request.scope["headers"] = _joined(headers, repeated)
    return None


def _joined(headers: list[tuple[bytes, bytes]], names: set[bytes]) -> list[tuple[bytes, bytes]]:
    once = [(name, value) for name, value in headers if name not in names]
    return [*once, *((name, b", ".join(value for key, value in headers if key == name)) for name in names)]


def _wrong_query(request: Request, known: frozenset[str]) -> JSONResponse | None:
    query: bytes = request.scope["query_string"]
    if not query:
        return None
    seen: set[str] = set()
    for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name not in known:
            taken = ", ".join(sorted(known)) or "none"
            return bad_field(name, f"is no parameter of this call, which takes {taken}; leave it out")
        if name in seen:
            return bad_field(name, "was sent twice; send it once")
        seen.add(name)
    return None


def _wrong_type(request: Request) -> JSONResponse | None:
    headers = request.headers
    if headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        refusal = _unsupported("Content-Encoding", "the body must not be compressed; leave the header out")
        refusal.headers["Accept-Encoding"] = "identity"
        return refusal
    if headers.get("Content-Length") != "0" and not _JSON.fullmatch(headers.get("Content-Type", "")):
        return _unsupported("Content-Type", "must be application/json, in UTF-8")
    return None


def _unsupported(header: str, remedy: str) -> JSONResponse:
    return bad_field(header, remedy, code="unsupported_media_type", status=415)


def _query_names(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _query_names(inner)
