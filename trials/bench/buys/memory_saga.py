"""The same saga in the memory of one process: retries, breakers, keys and compensation, and nothing kept."""

import asyncio
import random
import time
from collections.abc import Awaitable, Iterable
from typing import TypeVar

from activities.http import Answer, PartnerHttp, Refused, Unanswered
from config.settings import Settings
from guard.backoff import keyed_delay
from guard.permit import BreakerOpen, Permit
from guard.policy import Outcome
from guard.view import Breakers
from trip.calls import PartnerCall
from trip.order import TripOrder
from trip.partner import PAYMENT, Partner, Patience, Reservation, Verb
from trip.plan import asked, stages

ATTEMPT_S = 4.5
LONGEST_LOOK_S = 15.0
T = TypeVar("T")


class CallFailed(Exception):
    """A call was refused for good, or its attempts are used up."""


class MemorySaga:
    """Books trips; a trip whose process ends is left as it stands."""

    def __init__(self, http: PartnerHttp, breakers: Breakers, config: Settings) -> None:
        self._http = http
        self._breakers = breakers
        self._config = config

    async def book(self, key: str, order: TripOrder) -> str:
        """`confirmed`, or `failed` with everything undone."""
        sent: list[Partner] = []
        try:
            async with asyncio.timeout(order.deadline_s):
                await self._hold_all(key, order, sent)
            await self._confirm_all(key, sent)
        except (CallFailed, BreakerOpen, TimeoutError):
            for partner in reversed(sent):
                await self._call(Verb.RELEASE, partner, PartnerCall(key=key, patience=Patience.ENDLESS))
            return "failed"
        return "confirmed"

    async def _hold_all(self, key: str, order: TripOrder, sent: list[Partner]) -> None:
        patience = Patience.WAIT if order.when_partner_down == "wait" else Patience.NONE
        await self._all_let_in(order.partners(), patience)

        async def hold(partner: Partner, due: int) -> int:
            if (body := asked(order, partner, due)) is None:
                return 0
            sent.append(partner)
            call = PartnerCall(key=key, body=body, patience=patience)
            return (await self._call(Verb.RESERVE, partner, call)).amount_minor or 0

        due = 0
        for stage in stages(order):
            due += sum(await _together(hold(partner, due) for partner in stage))

    async def _confirm_all(self, key: str, sent: list[Partner]) -> None:
        call = PartnerCall(key=key, patience=Patience.ENDLESS)
        await self._call(Verb.CONFIRM, PAYMENT, call)
        rest = [partner for partner in sent if partner is not PAYMENT]
        await _together(self._call(Verb.CONFIRM, partner, call) for partner in rest)

    async def _all_let_in(self, partners: list[Partner], patience: Patience) -> None:
        """Nothing is sent while a partner of the trip is known to be out. Raises BreakerOpen."""
        for partner in partners:
            while refusal := self._breakers.peek(partner):
                await _put_off(refusal, patience)

    async def _call(self, verb: Verb, partner: Partner, call: PartnerCall) -> Reservation:
        """One call, tried again. Raises CallFailed, and for a hold BreakerOpen."""
        made = 0
        while True:
            permit = await self._let_in(partner, call.patience)
            made += 1
            match await self._watched(permit, verb, partner, call):
                case Reservation() as reservation:
                    return reservation
                case Refused(message=message):
                    raise CallFailed(message)
                case Unanswered(message, retry_after_s):
                    if call.patience is not Patience.ENDLESS and made >= self._config.retry_attempts:
                        raise CallFailed(message)
                    policy, seed = self._config.backoff(partner), f"{call.key}/{partner}/{verb}"
                    await asyncio.sleep(keyed_delay(policy, made - 1, seed, retry_after_s=retry_after_s))

    async def _let_in(self, partner: Partner, patience: Patience) -> Permit:
        while True:
            try:
                return await self._breakers.admit(partner)
            except BreakerOpen as refusal:
                await _put_off(refusal, patience)

    async def _watched(self, permit: Permit, verb: Verb, partner: Partner, call: PartnerCall) -> Answer:
        started, outcome, error = time.monotonic(), Outcome.IGNORED, None
        try:
            answer = await self._http.send(verb, partner, call, ATTEMPT_S)
            outcome = Outcome.SUCCESS
            if isinstance(answer, Unanswered):
                outcome, error = Outcome.FAILURE, answer.message
            return answer
        finally:
            took_s = time.monotonic() - started
            await asyncio.shield(self._breakers.record(permit, outcome, took_s, error))


async def _put_off(refusal: BreakerOpen, patience: Patience) -> None:
    if patience is Patience.NONE:
        raise refusal
    await asyncio.sleep(random.uniform(1, 1.5) * min(refusal.retry_in_s, LONGEST_LOOK_S))


async def _together(calls: Iterable[Awaitable[T]]) -> list[T]:
    """All side by side. Each comes to its end, so that none is under way when the undo begins."""
    found = await asyncio.gather(*calls, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException):
            raise one
    return [one for one in found if not isinstance(one, BaseException)]
