"""One attempt of one call to a partner, behind its breaker and within its retry budget."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

import aiohttp
from temporalio import activity

from activities.attempt import (
    BREAKER_OPEN,
    BUDGET_SPENT,
    WAITED_BEFORE,
    Attempt,
    AttemptFailed,
    current_attempt,
    gives_up,
    not_locally,
    tries_again,
    unavailable,
    under_way_s,
    waits,
    waits_for_breaker,
)
from activities.http import Answer, PartnerHttp, Refused, Unanswered
from activities.shared import Shared
from config.settings import Settings
from guard.backoff import keyed_delay
from guard.budget import RetryBudget
from guard.permit import BreakerOpen, Permit
from guard.policy import Outcome
from record import sending
from record.pool import RecordAway
from trip.attempts import AttemptOutcome
from trip.calls import CaptureDecision, PartnerCall
from trip.partner import (
    UNDONE,
    CallError,
    Partner,
    PartnerAnswer,
    Patience,
    Reservation,
    Verb,
    activity_name,
)

_REPORTING_S = 0.5
"""Kept back of an attempt's time limit, so that the activity can say itself what went wrong."""

_DECIDING_S = 0.3

_NEWEST_WEIGHT = 0.2
"""Of a call's duration in the running mean of its partner's."""

_MAY_GIVE_UP = frozenset({Patience.NONE, Patience.WAIT, Patience.LIMITED})


class PartnerCalls:
    """The fifteen call activities, sharing connections, breakers and retry budgets."""

    def __init__(
        self,
        settings: Settings,
        session: aiohttp.ClientSession,
        shared: Shared,
    ) -> None:
        self._settings = settings
        self._http = PartnerHttp(session, settings)
        self._breakers = shared.breakers
        self._paces = shared.paces
        self._pool = shared.pool
        self._journal = shared.journal
        self._budgets = {partner: RetryBudget(settings.retry_budget()) for partner in Partner}
        self._takes_s = dict.fromkeys(Partner, 0.0)

    def activities(self) -> list[Callable[..., Any]]:
        """One activity for every verb and partner, each under its own name."""
        return [self._activity(verb, partner) for verb in Verb for partner in Partner]

    def _activity(self, verb: Verb, partner: Partner) -> Callable[..., Any]:
        @activity.defn(name=activity_name(verb, partner))
        async def call_partner(call: PartnerCall) -> PartnerAnswer:
            with self._journal.noting(verb, partner):
                return await self._attempt(verb, partner, call)

        return call_partner

    async def _attempt(self, verb: Verb, partner: Partner, call: PartnerCall) -> PartnerAnswer:
        attempt = current_attempt(call.made)
        self._check_is_for_local(partner, attempt)
        # Only a worker that was lost with its last attempt leaves one more than there may be.
        self._check_attempts(call, attempt.number - 1, "no answer")
        if call.decision is not None:
            await self._decide(call.decision)
        permit = await self._let_in(verb, partner, call, attempt)
        match await self._send(permit, verb, partner, call):
            case Refused(code, message, no_effect):
                error = CallError(code=code, message=message, attempts=attempt.number, final=no_effect)
                raise gives_up(error, AttemptOutcome.REFUSED)
            case Unanswered(message, retry_after_s):
                self._check_attempts(call, attempt.number, message)
                delay_s = self._delay_s(verb, partner, call, attempt.number, retry_after_s)
                raise tries_again(unavailable(message, attempt.number), attempt, delay_s)
            case Reservation() as reservation:
                return PartnerAnswer(reservation=reservation, attempts=attempt.number)

    def _check_is_for_local(self, partner: Partner, attempt: Attempt) -> None:
        """A local activity does only what is quickly done: its workflow hears of nothing else meanwhile."""
        if activity.info().is_local and self._takes_s[partner] >= self._settings.local_attempt_s / 2:
            raise not_locally(unavailable("the partner is too slow for a local activity", attempt.number - 1))

    async def _decide(self, decision: CaptureDecision) -> None:
        """Have the record say that the trip is captured. Where it is away, the workflow's history has to."""
        try:
            async with asyncio.timeout(_DECIDING_S):
                if await sending.decide_capture(self._pool, decision):
                    return
        except (RecordAway, TimeoutError, LookupError) as error:
            raise not_locally(unavailable("the record is away", attempts=0)) from error
        undone = CallError(code=UNDONE, message="another run undoes the trip", attempts=0, final=True)
        raise gives_up(undone, AttemptOutcome.KEPT_OUT)

    def _check_attempts(self, call: PartnerCall, made: int, message: str) -> None:
        if call.patience in _MAY_GIVE_UP and made >= self._settings.retry_attempts:
            raise gives_up(unavailable(message, made), AttemptOutcome.UNANSWERED)

    async def _let_in(self, verb: Verb, partner: Partner, call: PartnerCall, attempt: Attempt) -> Permit:
        """The leave to send. Raises AttemptFailed where the call is put off or given up."""
        past_breaker = call.past_breaker and attempt.is_first
        if not past_breaker:
            # An open breaker first, so that what it keeps out spends none of the budget.
            if refusal := self._breakers.peek(partner):
                raise self._kept_out(call, attempt, refusal)
            self._check_place(verb, partner, attempt)
            self._check_budget(verb, partner, call, attempt)
        try:
            permit = await self._breakers.admit(partner, past_breaker=past_breaker)
        except BreakerOpen as refusal:
            raise self._kept_out(call, attempt, refusal) from refusal
        if attempt.number == 1:
            self._budgets[partner].record_call(time.monotonic())
        return permit

    def _check_place(self, verb: Verb, partner: Partner, attempt: Attempt) -> None:
        """Holds that waited come back one after another; confirmations and releases before them all."""
        if verb is not Verb.RESERVE or not attempt.has_waited:
            return
        if place_in_s := self._paces[partner].place_in(time.monotonic()):
            error = unavailable(WAITED_BEFORE, attempt.number - 1)
            raise waits(error, attempt, place_in_s)

    def _check_budget(self, verb: Verb, partner: Partner, call: PartnerCall, attempt: Attempt) -> None:
        if attempt.number == 1:
            return
        if wait_s := self._budgets[partner].ask(time.monotonic(), verb):
            error = unavailable(BUDGET_SPENT, attempt.number - 1)
            delay_s = self._delay_s(verb, partner, call, attempt.number - 1, wait_s)
            raise waits(error, attempt, delay_s)

    def _kept_out(self, call: PartnerCall, attempt: Attempt, refusal: BreakerOpen) -> AttemptFailed:
        error = unavailable(BREAKER_OPEN, attempt.number - 1)
        patience_s = self._settings.attention_s if call.patience is Patience.LIMITED else math.inf
        left_s = patience_s - under_way_s()
        if call.patience is Patience.NONE or left_s <= 0:
            return gives_up(error, AttemptOutcome.KEPT_OUT)
        return waits_for_breaker(error, attempt, refusal.retry_in_s, left_s)

    def _delay_s(
        self, verb: Verb, partner: Partner, call: PartnerCall, made: int, floor_s: float | None
    ) -> float:
        key = f"{call.key}/{partner}/{verb}"
        # The policy counts from 0.
        return keyed_delay(self._settings.backoff(partner), made - 1, key, retry_after_s=floor_s)

    async def _send(self, permit: Permit, verb: Verb, partner: Partner, call: PartnerCall) -> Answer:
        """Send, and tell the breaker what came of it."""
        started = time.monotonic()
        answer: Answer | None = None
        try:
            answer = await self._http.send(verb, partner, call, self._time_limit_s())
            return answer
        finally:
            took_s = time.monotonic() - started
            self._takes_s[partner] += _NEWEST_WEIGHT * (took_s - self._takes_s[partner])
            error = answer.message if isinstance(answer, Unanswered) else None
            # Shielded, so that a call that is cancelled gives its probe back.
            await asyncio.shield(self._breakers.record(permit, _judged(answer), took_s, error))

    def _time_limit_s(self) -> float:
        if activity.info().is_local:
            return self._settings.local_attempt_s
        limit = activity.info().start_to_close_timeout
        assert limit is not None, "every call has one"
        return max(limit.total_seconds() - _REPORTING_S, _REPORTING_S)


def _judged(answer: Answer | None) -> Outcome:
    """What the breaker is told. `None`: the call was cancelled. A refusal shows that the partner is there."""
    if not isinstance(answer, Unanswered):
        return Outcome.IGNORED if answer is None else Outcome.SUCCESS
    # A local activity's patience is too short to hold a time-out against the partner.
    return Outcome.IGNORED if answer.timed_out and activity.info().is_local else Outcome.FAILURE
