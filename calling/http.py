"""One request to a partner, and its answer as one value."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias
from urllib.parse import quote

from pydantic_core import from_json

from guard.backoff import parse_retry_after
from serving import tracing
from serving.client import HttpClient, NoReply, Reply
from serving.fields import shown
from trip.answers import Unusable, usable
from trip.calls import PartnerCall
from trip.partner import (
    FINAL_CODES,
    PARTNER_ANSWER_INVALID,
    PARTNER_REFUSED,
    PARTNER_UNAVAILABLE,
    Partner,
    Reservation,
    Verb,
)

_REQUESTS = {
    Verb.RESERVE: ("PUT", "/reservations/{key}"),
    Verb.CONFIRM: ("POST", "/reservations/{key}/confirm"),
    Verb.RELEASE: ("DELETE", "/reservations/{key}"),
}
_SAY_NOTHING = frozenset({401, 403, 407, 408, 425, 429})
"""These 4xx say nothing about the reservation, whatever code stands in them."""

_REFUSE = {
    Verb.RESERVE: frozenset({400, 404, 409, 410, 422}),
    Verb.CONFIRM: frozenset({404}),
    Verb.RELEASE: frozenset[int](),
}
"""These refuse for good, whatever code stands in them."""


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
    code: str = PARTNER_UNAVAILABLE


Answer: TypeAlias = Reservation | Refused | Unanswered


@dataclass(frozen=True)
class PartnerHttp:
    """Requests to the partners."""

    clients: Mapping[Partner, HttpClient]

    async def send(self, verb: Verb, partner: Partner, call: PartnerCall, limit_s: float) -> Answer:
        """Make one request of at most `limit_s` seconds."""
        method, path = _REQUESTS[verb]
        path = path.format(key=quote(call.key, safe=""))
        told = {"http.request.method": method, "trips.partner": partner.value, "trips.id": call.key}
        with tracing.calling(f"{method} {partner}", told) as (span, headers):
            try:
                reply = await self.clients[partner].ask(
                    method, path, json=call.body, headers=headers, limit_s=limit_s
                )
            except NoReply as error:
                tracing.answered(span, None)
                return Unanswered(str(error), timed_out=error.timed_out)
            tracing.answered(span, reply.status)
        if 200 <= reply.status < 300:
            try:
                return usable(verb, call.key, call.terms, reply.status, reply.body)
            except Unusable as error:
                return Unanswered(shown(f"unusable answer: {error}"), code=PARTNER_ANSWER_INVALID)
        return _refusal(verb, reply)


def _refusal(verb: Verb, reply: Reply) -> Refused | Unanswered:
    code, detail = _problem(reply.body)
    answered = shown(f"answered {reply.status}: {detail}") if detail else f"answered {reply.status}"
    if code in FINAL_CODES[verb] and 400 <= reply.status < 500 and reply.status not in _SAY_NOTHING:
        return Refused(code, detail or answered, no_effect=True)
    if reply.status in _REFUSE[verb]:
        return Refused(PARTNER_REFUSED, answered, no_effect=verb is Verb.CONFIRM)
    headers = reply.headers
    retry_after_s = parse_retry_after(headers.get("Retry-After"), headers.get("Date"), datetime.now(UTC))
    return Unanswered(answered, retry_after_s)


def _problem(body: bytes) -> tuple[str, str]:
    """Code and detail of a problem (RFC 9457), each empty if there is none."""
    try:
        found: Any = from_json(body)
    except ValueError:
        found = None
    problem = found if isinstance(found, dict) else {}
    code, detail = problem.get("code"), problem.get("detail")
    return code if isinstance(code, str) else "", shown(detail) if isinstance(detail, str) else ""
