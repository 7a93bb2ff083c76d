"""Errors as RFC 9457 `application/problem+json`, each with a stable `code`."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Match

from serving.bodies import BadBody
from serving.fields import MAX_SHOWN, shown
from serving.openapi import COMPONENTS, describe
from serving.paging import CursorError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

_TITLES = {
    400: "Bad request",
    401: "Not authorised",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    408: "Request time-out",
    409: "Refused",
    413: "Body too large",
    415: "Unsupported media type",
    422: "Invalid input",
    429: "Too many requests",
    431: "Head too large",
    500: "Internal error",
    501: "Not served",
    503: "Unavailable",
}
MAX_ERRORS = 20
MAX_IN_DETAIL = 3
"""Fields that a problem lists, and those that its `detail` names."""

_USUAL_CODES = {
    401: ["unauthorised"],
    403: ["forbidden"],
    408: ["body_timeout"],
    413: ["too_large"],
    415: ["unsupported_media_type"],
    422: ["invalid"],
    429: ["rate_limited"],
}
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_TEXT = {"schema": {"type": "string"}, "required": True}
_SECONDS = {"schema": {"type": "integer", "minimum": 0}, "required": True}
_HEADERS = {401: {"WWW-Authenticate": _TEXT}, 429: {"Retry-After": _SECONDS}, 503: {"Retry-After": _SECONDS}}


class FieldError(BaseModel):
    """A wrong field of the request, and what to do about it."""

    field: str
    message: str


class Problem(BaseModel):
    """RFC 9457; `code` is stable and meant for programs, `detail` for people."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    errors: list[FieldError] | None = None


def problem(
    status: int,
    code: str,
    detail: str,
    errors: list[FieldError] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A problem as a response."""
    body = Problem(title=_TITLES.get(status, "Error"), status=status, code=code, detail=detail, errors=errors)
    return JSONResponse(body.model_dump(exclude_none=True), status, headers, media_type=MEDIA_TYPE)


def bad_field(field: str, remedy: str, code: str = "invalid", status: int = 422) -> JSONResponse:
    """A problem with one field, and what to do about it."""
    return invalid([FieldError(field=field, message=remedy)], code, status)


def invalid(errors: Sequence[FieldError], code: str = "invalid", status: int = 422) -> JSONResponse:
    """A problem with fields. However many they are and however long their names, it is short."""
    # A field that two parts of a call read is wrong once.
    errors = list({(error.field, error.message): error for error in errors}.values())
    listed = [
        FieldError(field=_cut(error.field) or "body", message=_cut(error.message))
        for error in errors[:MAX_ERRORS]
    ]
    detail = "; ".join(f"{error.field}: {error.message}" for error in listed[:MAX_IN_DETAIL])
    more = len(errors) - MAX_IN_DETAIL
    return problem(status, code, f"{detail}; and {more} more" if more > 0 else detail, listed)


def _cut(text: str) -> str:
    # A name may be what no UTF-8 can write.
    return shown(text) if len(text) <= MAX_SHOWN else f"{shown(text)}…"


def unavailable(code: str, detail: str, retry_after_s: int = 1) -> JSONResponse:
    """503 with `Retry-After`."""
    return problem(503, code, detail, headers={"Retry-After": str(retry_after_s)})


def documented(*statuses: int, **codes: int) -> dict[int | str, dict[str, Any]]:
    """A route's problems, for OpenAPI, given as `code=status`. A status alone stands for its usual code."""
    found: dict[int, list[str]] = {status: [*_USUAL_CODES.get(status, ())] for status in statuses}
    for code, status in codes.items():
        found.setdefault(status, []).append(code)
    return {status: _response(status, of_it) for status, of_it in found.items()}


def _response(status: int, codes: Sequence[str]) -> dict[str, Any]:
    schema: dict[str, Any] = {"$ref": f"{COMPONENTS}/Problem"}
    if codes:
        known = {
            "properties": {
                "code": {"type": "string", "enum": list(codes)},
                "status": {"type": "integer", "enum": [status]},
            }
        }
        schema = {"allOf": [schema, known]}
    return {
        "description": ": ".join([_TITLES[status], *([", ".join(codes)] if codes else [])]),
        "content": {MEDIA_TYPE: {"schema": schema}},
        "headers": _HEADERS.get(status, {}),
    }


def _field_error(error: Mapping[str, Any]) -> FieldError:
    # The first part says where the field is (body, path, query). Its name alone is clear enough.
    place = [str(part) for part in error["loc"]]
    name = ".".join(place[1:]) or place[0]
    return FieldError(field=name, message=str(error["msg"]).removeprefix("Value error, "))


def _broken_json() -> JSONResponse:
    remedy = "this is not JSON in UTF-8 within the usual bounds; send a JSON object"
    return bad_field("body", remedy, code="broken_json")


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    if any(found["type"] == "json_invalid" for found in error.errors()):
        return _broken_json()
    return invalid([_field_error(found) for found in error.errors()])


async def _bad_body(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, BadBody)
    return bad_field(error.field, error.remedy, code="broken_json")


async def _bad_cursor(_request: Request, _error: Exception) -> JSONResponse:
    return bad_field("cursor", "not a cursor of this list; leave it out to start again")


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 400:
        # FastAPI's answer to a body that its JSON reader cannot read: encoding, depth, digits.
        return _broken_json()
    if error.status_code == 404:
        return problem(
            404, "unknown_path", "nothing is served at this path; see the documentation of the API"
        )
    if error.status_code == 405:
        allowed = _allowed(request)
        detail = f"this path takes {allowed}"
        return problem(405, "method_not_allowed", detail, headers={"Allow": allowed})
    return problem(error.status_code, "error", str(error.detail), headers=error.headers)


def _allowed(request: Request) -> str:
    """All methods of the request's path. The router names only those of the path's first route."""
    routes = request.app.router.routes
    allowed = [
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]
    return ", ".join(["HEAD", *allowed] if "GET" in allowed and "HEAD" not in allowed else allowed)


async def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
    return problem(
        500, "internal", "something unexpected happened; the call may or may not have taken effect"
    )


def add_handlers(app: FastAPI) -> None:
    """Answer the errors that every service can meet as problems, and describe a problem in OpenAPI."""
    answer_errors(app)
    describe(app, Problem)


def answer_errors(app: Starlette) -> None:
    """Answer the errors that every service can meet as problems."""
    handlers = {
        RequestValidationError: _invalid,
        BadBody: _bad_body,
        CursorError: _bad_cursor,
        HTTPException: _http,
        Exception: _unexpected,
    }
    for error, handler in handlers.items():
        app.add_exception_handler(error, handler)
