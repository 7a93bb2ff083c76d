"""One request to a partner, and its answer as one value."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias
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
"""These 4xx say nothing about the request itself."""


@dataclass(frozen=True)
class Refused:
    """The partner refused, and would refuse again. `no_effect`: this attempt surely took no effect."""

    code: str
    message: str
    no_effect: bool


@dataclass(frozen=True)
class Unanswered:
    """No answer of use. The call may or may not have taken effect, and another attempt may tell.

    `retry_after_s` is what the partner's `Retry-After` asked for.
    """

    message: str
    retry_after_s: float | None = None
    timed_out: bool = False


Answer: TypeAlias = Reservation | Refused | Unanswered


class _Problem(BaseModel):
    code: str = ""
    detail: str = ""


def open_session(connections: int = 100) -> aiohttp.ClientSession:
    """A client session with at most `connections` connections at once. Enter it in the running loop."""
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections))
    # If a connection is cut, aiohttp would repeat a PUT or DELETE by itself: an attempt that nobody counts.
    session._retry_connection = False
    return session


@dataclass(frozen=True)
class PartnerHttp:
    """Requests to the partners that the settings name."""

    session: aiohttp.ClientSession
    settings: Settings

    async def send(self, verb: Verb, partner: Partner, call: PartnerCall, limit_s: float) -> Answer:
        """Make one request of at most `limit_s` seconds."""
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
                body = await _body(response)
                if len(body) > _MAX_ANSWER:
                    return Unanswered(f"an answer of over {_MAX_ANSWER} bytes")
                return _read(verb, response.status, response.headers, body)
        except TimeoutError:
            return Unanswered(f"no answer within {limit_s:g} s", timed_out=True)
        except aiohttp.ClientError as error:
            return Unanswered(str(error) or type(error).__name__)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """The body; if it is longer than _MAX_ANSWER, only its beginning, which is longer too."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(_MAX_ANSWER):
        body += chunk
        if len(body) > _MAX_ANSWER:
            break
    return bytes(body)


def _read(verb: Verb, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    if status in (200, 201):
        try:
            return Reservation.model_validate_json(body)
        except ValidationError as error:
            return Unanswered(f"unreadable answer: {error.error_count()} errors in it")
    problem = _problem(body)
    answered = f"answered {status}: {problem.detail}" if problem.detail else f"answered {status}"
    if problem.code in FINAL_CODES[verb] and 400 <= status < 500:
        return Refused(problem.code, problem.detail or answered, no_effect=True)
    if verb is Verb.RESERVE and 400 <= status < 500 and status not in _MAY_PASS:
        return Refused(PARTNER_UNAVAILABLE, answered, no_effect=False)
    return Unanswered(answered, parse_retry_after(headers.get("Retry-After"), datetime.now(UTC)))


def _problem(body: bytes) -> _Problem:
    try:
        return _Problem.model_validate_json(body)
    except ValidationError:
        return _Problem()
