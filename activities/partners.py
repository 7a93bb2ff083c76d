"""One attempt of one call to a partner, if the guard gives leave."""

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from temporalio import activity

from activities.attempt import (
    AttemptFailed,
    current_attempt,
    gives_up,
    not_locally,
    puts_off,
    tries_again,
    unavailable,
    under_way_s,
)
from activities.shared import Shared
from calling.attempt import attempt as sent
from calling.http import Answer, PartnerHttp, Refused, Unanswered
from config.settings import Settings
from guard.guard import SHORTEST_WAIT_S, Call, Leave, Reason, Refusal
from record import fence
from record.pool import RecordAway
from serving.client import HttpClient
from serving.running import RunningTime
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
from trip.trip import Trip

_REPORTING_S = 0.5
"""Kept back from an attempt's time limit, so that the activity itself can say what went wrong."""

_DECIDING_S = 0.3

_NEWEST_WEIGHT = 0.2
"""The weight of the newest call in the running mean of its partner's durations."""

_MAY_GIVE_UP = frozenset({Patience.NONE, Patience.WAIT, Patience.LIMITED})


class PartnerCalls:
    """The call activities of all partners. They share the guard."""

    def __init__(
        self,
        settings: Settings,
        clients: Mapping[Partner, HttpClient],
        shared: Shared,
    ) -> None:
        self._settings = settings
        self._http = PartnerHttp(clients)
        self._guard = shared.guard
        self._pool = shared.pool
        self._journal = shared.journal
        self._notices = shared.notices
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
        attempt = current_attempt(call.made, past_breaker=call.past_breaker)
        made = attempt.number - 1
        self._check_is_for_local(partner, made)
        # A worker that was lost with the call's last attempt leaves one attempt more than there may be.
        if self._is_used_up(call, made):
            raise gives_up(unavailable("no answer", made), AttemptOutcome.UNANSWERED)
        if call.decision is not None:
            if made == 0:
                _check_holds_last(call.decision.trip)
            await self._decide(call.decision)
        guarded = Call(partner, f"{call.key}/{partner}/{verb}", urgent=verb is not Verb.RESERVE)
        admitted = await self._guard.admit(guarded, attempt)
        if isinstance(admitted, Refusal):
            raise self._not_admitted(call, admitted, made)
        match await self._send(admitted, verb, partner, call):
            case Refused(code, message, no_effect):
                error = CallError(code=code, message=message, attempts=attempt.number, final=no_effect)
                raise gives_up(error, AttemptOutcome.REFUSED)
            case Unanswered() as unanswered:
                error = CallError(
                    code=unanswered.code, message=unanswered.message, attempts=attempt.number, final=False
                )
                if self._is_used_up(call, attempt.number):
                    raise gives_up(error, AttemptOutcome.UNANSWERED)
                retry_in_s = self._guard.backoff_s(guarded, attempt.number, unanswered.retry_after_s)
                raise tries_again(error.model_copy(update={"retry_in_s": retry_in_s}))
            case Reservation() as reservation:
                return PartnerAnswer(reservation=reservation, attempts=attempt.number)

    def _check_is_for_local(self, partner: Partner, made: int) -> None:
        """A slow partner is no case for a local activity, during which the workflow hears of nothing else."""
        if activity.info().is_local and self._takes_s[partner] >= self._settings.local_attempt_s / 2:
            raise not_locally(unavailable("the partner is too slow for a local activity", made))

    async def _decide(self, decision: CaptureDecision) -> None:
        """Write to the trip's row that it is captured. If the record is away, the history has to say so."""
        try:
            async with asyncio.timeout(_DECIDING_S):
                if await fence.capture(self._pool, decision):
                    self._notices.tell(decision.trip.trip_id, decision.trip.status)
                    return
        except (RecordAway, TimeoutError, LookupError) as error:
            if activity.info().is_local:
                raise not_locally(unavailable("the record is away", attempts=0)) from error
            return
        undone = CallError(code=UNDONE, message="another run undoes the trip", attempts=0, final=True)
        raise gives_up(undone, AttemptOutcome.KEPT_OUT)

    def _is_used_up(self, call: PartnerCall, made: int) -> bool:
        return call.patience in _MAY_GIVE_UP and made >= self._settings.retry_attempts

    def _not_admitted(self, call: PartnerCall, refusal: Refusal, made: int) -> AttemptFailed:
        """The failure of an attempt without leave. It ends the call if the call's patience is over."""
        if refusal.reason is not Reason.BREAKER_OPEN:
            return puts_off(refusal, made)
        patience_s = self._settings.attention_s if call.patience is Patience.LIMITED else math.inf
        left_s = patience_s - under_way_s(call.asked_at)
        if call.patience is Patience.NONE or left_s <= 0:
            return gives_up(unavailable(refusal.reason.value, made), AttemptOutcome.KEPT_OUT)
        retry_in_s = min(refusal.retry_in_s, max(left_s, SHORTEST_WAIT_S))
        return puts_off(replace(refusal, retry_in_s=retry_in_s), made)

    async def _send(self, leave: Leave, verb: Verb, partner: Partner, call: PartnerCall) -> Answer:
        """Send, and remember how long the partner takes."""
        request = self._http.send(verb, partner, call, self._time_limit_s())
        with RunningTime() as running:
            try:
                return await sent(leave, request, is_patient=not activity.info().is_local)
            finally:
                self._takes_s[partner] += _NEWEST_WEIGHT * (running.seconds - self._takes_s[partner])

    def _time_limit_s(self) -> float:
        if activity.info().is_local:
            return self._settings.local_attempt_s
        limit = activity.info().start_to_close_timeout
        assert limit is not None, "every call has one"
        return max(limit.total_seconds() - _REPORTING_S, _REPORTING_S)


def _check_holds_last(trip: Trip) -> None:
    """A capture that has waited is not sent over a hold that has expired meanwhile."""
    ends = [step.expires_at for step in trip.steps if step.expires_at is not None]
    if ends and min(ends) <= activity.info().started_time:
        error = CallError(
            code="expired", message="a hold expired before the capture was sent", attempts=0, final=True
        )
        raise gives_up(error, AttemptOutcome.KEPT_OUT)
