"""One attempt of one call to a partner: what is sent, and what each answer means."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import aiohttp
from pydantic import BaseModel, ValidationError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from domain.backoff import keyed_delay, parse_retry_after
from domain.partner import (
    FINAL_CODES,
    PARTNER_UNAVAILABLE,
    CallError,
    Partner,
    PartnerAnswer,
    PartnerCall,
    Reservation,
    Verb,
    activity_name,
)
from domain.settings import Settings

_REQUESTS = {
    Verb.RESERVE: ("PUT", "/reservations/{key}"),
    Verb.CONFIRM: ("POST", "/reservations/{key}/confirm"),
    Verb.RELEASE: ("DELETE", "/reservations/{key}"),
}
_REPORTING_S = 0.5
"""Kept back of an attempt's time limit, so that the activity can say itself what went wrong."""

_MAY_PASS = frozenset({408, 425, 429})
"""Refusals that say nothing about the request itself."""


class _Problem(BaseModel):
    code: str = ""
    detail: str = ""


class PartnerCalls:
    """The fifteen call activities, sharing one bounded pool of connections."""

    def __init__(self, settings: Settings, session: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._session = session

    def activities(self) -> list[Callable[..., Any]]:
        """One activity for every verb and partner, each under its own name."""
        return [self._activity(verb, partner) for verb in Verb for partner in Partner]

    def _activity(self, verb: Verb, partner: Partner) -> Callable[..., Any]:
        @activity.defn(name=activity_name(verb, partner))
        async def call_partner(call: PartnerCall) -> PartnerAnswer:
            return await self._attempt(verb, partner, call)

        return call_partner

    async def _attempt(self, verb: Verb, partner: Partner, call: PartnerCall) -> PartnerAnswer:
        try:
            reservation = await self._send(verb, partner, call)
        except _Refused as refused:
            raise _final(partner, refused) from refused
        except _Unanswered as unanswered:
            raise self._retryable(verb, partner, call, unanswered) from unanswered
        return PartnerAnswer(reservation=reservation, attempts=activity.info().attempt)

    def _retryable(
        self, verb: Verb, partner: Partner, call: PartnerCall, unanswered: "_Unanswered"
    ) -> ApplicationError:
        attempt = activity.info().attempt
        delay_s = keyed_delay(
            self._settings.backoff(),
            attempt - 1,  # the first counts as 0
            f"{call.key}/{partner}/{verb}",
            retry_after_s=unanswered.retry_after_s,
        )
        error = CallError(
            code=PARTNER_UNAVAILABLE, message=f"{partner}: {unanswered}", attempts=attempt, final=False
        )
        return ApplicationError(
            error.message, error, type=PARTNER_UNAVAILABLE, next_retry_delay=timedelta(seconds=delay_s)
        )

    async def _send(self, verb: Verb, partner: Partner, call: PartnerCall) -> Reservation:
        method, path = _REQUESTS[verb]
        url = self._settings.partner_url(partner) + path.format(key=quote(call.key, safe=""))
        token = self._settings.partner_token(partner)
        try:
            async with self._session.request(
                method,
                url,
                json=call.body,
                headers={"Authorization": f"Bearer {token}"} if token else None,
                timeout=aiohttp.ClientTimeout(total=_time_limit_s()),
                allow_redirects=False,
            ) as response:
                return _read(verb, response.status, response.headers, await response.read())
        except TimeoutError as error:
            raise _Unanswered(f"no answer within {_time_limit_s():g} s") from error
        except aiohttp.ClientError as error:
            raise _Unanswered(str(error) or type(error).__name__) from error


class _Refused(Exception):
    """No repetition can change the answer."""

    def __init__(self, code: str, message: str, effect_ruled_out: bool) -> None:
        super().__init__(message)
        self.code = code
        self.effect_ruled_out = effect_ruled_out


class _Unanswered(Exception):
    """Whether the call took effect is unknown, and another attempt may tell."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


def _time_limit_s() -> float:
    limit = activity.info().start_to_close_timeout or timedelta(seconds=5)
    return max(limit.total_seconds() - _REPORTING_S, _REPORTING_S)


def _read(verb: Verb, status: int, headers: Mapping[str, str], body: bytes) -> Reservation:
    if status in (200, 201):
        try:
            return Reservation.model_validate_json(body)
        except ValidationError as error:
            raise _Unanswered(f"unreadable answer: {error.error_count()} errors in it") from error
    problem = _problem(body)
    message = problem.detail or f"answered {status}"
    if problem.code in FINAL_CODES[verb] and 400 <= status < 500:
        raise _Refused(problem.code, message, effect_ruled_out=True)
    if verb is Verb.RESERVE and 400 <= status < 500 and status not in _MAY_PASS:
        raise _Refused(PARTNER_UNAVAILABLE, f"answered {status}: {message}", effect_ruled_out=False)
    raise _Unanswered(
        f"answered {status}: {message}" if problem.detail else message,
        parse_retry_after(headers.get("Retry-After"), datetime.now(UTC)),
    )


def _problem(body: bytes) -> _Problem:
    try:
        return _Problem.model_validate_json(body)
    except ValidationError:
        return _Problem()


def _final(partner: Partner, refused: _Refused) -> ApplicationError:
    error = CallError(
        code=refused.code,
        message=f"{partner}: {refused}",
        attempts=activity.info().attempt,
        final=refused.effect_ruled_out,
    )
    return ApplicationError(error.message, error, type=refused.code, non_retryable=True)


def open_session(connections: int = 100) -> aiohttp.ClientSession:
    """A client session with at most `connections` connections at once; to be entered by the running loop."""
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections))
    # It would send a PUT or DELETE again by itself where a connection is cut: an attempt that nobody counts.
    session._retry_connection = False
    return session
