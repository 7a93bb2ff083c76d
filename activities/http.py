"""One request to a partner, and what each answer means."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

import aiohttp
from pydantic import BaseModel, ValidationError

from config.settings import Settings
from guard.backoff import parse_retry_after
from trip.calls import PartnerCall
from trip.partner import FINAL_CODES, PARTNER_UNAVAILABLE, Partner, Reservation, Verb

_REQUESTS = {
    Verb.RESERVE: ("PUT", "/reservations/{key}"),
    Verb.CONFIRM: ("POST", "/reservations/{key}/confirm"),
    Verb.RELEASE: ("DELETE", "/reservations/{key}"),
}
_MAX_ANSWER = 64 * 1024
_MAY_PASS = frozenset({408, 425, 429})
"""Refusals that say nothing about the request itself."""


class Refused(Exception):
    """No repetition can change the answer."""

    def __init__(self, code: str, message: str, effect_ruled_out: bool) -> None:
        super().__init__(message)
        self.code = code
        self.effect_ruled_out = effect_ruled_out


class Unanswered(Exception):
    """Whether the call took effect is unknown, and another attempt may tell."""

    def __init__(self, message: str, retry_after_s: float | None = None, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.timed_out = timed_out


class _Problem(BaseModel):
    code: str = ""
    detail: str = ""


def open_session(connections: int = 100) -> aiohttp.ClientSession:
    """A client session with at most `connections` connections at once; to be entered by the running loop."""
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections))
    # It would send a PUT or DELETE again by itself where a connection is cut: an attempt nobody counts.
    session._retry_connection = False
    return session


@dataclass(frozen=True)
class PartnerHttp:
    """Requests to the partners that the settings name."""

    session: aiohttp.ClientSession
    settings: Settings

    async def send(self, verb: Verb, partner: Partner, call: PartnerCall, limit_s: float) -> Reservation:
        """Make one request, of at most `limit_s` seconds. Raises Refused and Unanswered."""
        method, path = _REQUESTS[verb]
        url = self.settings.partner_url(partner) + path.format(key=quote(call.key, safe=""))
        token = self.settings.partner_token(partner)
        try:
            async with self.session.request(
                method,
                url,
                json=call.body,
                headers={"Authorization": f"Bearer {token}"} if token else None,
                timeout=aiohttp.ClientTimeout(total=limit_s),
                allow_redirects=False,
            ) as response:
                return _read(verb, response.status, response.headers, await _body(response))
        except TimeoutError as error:
            raise Unanswered(f"no answer within {limit_s:g} s", timed_out=True) from error
        except aiohttp.ClientError as error:
            raise Unanswered(str(error) or type(error).__name__) from error


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(_MAX_ANSWER):
        body += chunk
        if len(body) > _MAX_ANSWER:
            raise Unanswered(f"an answer of over {_MAX_ANSWER} bytes")
    return bytes(body)


def _read(verb: Verb, status: int, headers: Mapping[str, str], body: bytes) -> Reservation:
    if status in (200, 201):
        try:
            return Reservation.model_validate_json(body)
        except ValidationError as error:
            raise Unanswered(f"unreadable answer: {error.error_count()} errors in it") from error
    problem = _problem(body)
    message = problem.detail or f"answered {status}"
    if problem.code in FINAL_CODES[verb] and 400 <= status < 500:
        raise Refused(problem.code, message, effect_ruled_out=True)
    if verb is Verb.RESERVE and 400 <= status < 500 and status not in _MAY_PASS:
        raise Refused(PARTNER_UNAVAILABLE, f"answered {status}: {message}", effect_ruled_out=False)
    raise Unanswered(
        f"answered {status}: {message}" if problem.detail else message,
        parse_retry_after(headers.get("Retry-After"), datetime.now(UTC)),
    )


def _problem(body: bytes) -> _Problem:
    try:
        return _Problem.model_validate_json(body)
    except ValidationError:
        return _Problem()
