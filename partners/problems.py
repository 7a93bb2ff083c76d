"""What a partner's refusals and its engine's failures are answered with."""

import logging
from collections.abc import Sequence

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from partners.store import DifferentBody, Refused, UnknownKey
from serving import problems
from serving.problems import bad_field, problem, unavailable

log = logging.getLogger(__name__)


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    return problem(409, error.code, error.message)


async def _different_body(_request: Request, _error: Exception) -> JSONResponse:
    remedy = "is known with another body; use a new key or send the same body"
    return bad_field("key", remedy, code="different_body")


async def _unknown_key(_request: Request, _error: Exception) -> JSONResponse:
    return problem(404, "unknown_key", "no reservation has this key")


async def _engine_away(_request: Request, error: Exception) -> JSONResponse:
    log.warning("engine unavailable: %s: %s", type(error).__name__, error)
    return unavailable(
        "engine_unavailable", "the partner's engine did not answer; the call may or may not have taken effect"
    )


def add_handlers(app: FastAPI, away: Sequence[type[Exception]]) -> None:
    """Answer every error of `app` as a problem; those of `away`, the engine's, as 503."""
    problems.add_handlers(app)
    handlers = {Refused: _refused, DifferentBody: _different_body, UnknownKey: _unknown_key}
    for error, handler in (handlers | dict.fromkeys(away, _engine_away)).items():
        app.add_exception_handler(error, handler)
