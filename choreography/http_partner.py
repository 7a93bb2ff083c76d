"""A partner that speaks HTTP alone, and takes part through an adapter.

What comes of a key is a row of the trips' record, written before the partner is asked and after it has
answered. The first outcome wins. A key is closed in the record first and at the partner next, and only then
are others told. So a hold that comes too late finds the key closed.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from calling.attempt import attempt
from calling.http import PartnerHttp, Unanswered
from calling.http import Refused as RefusedOverHttp
from choreography import acting
from choreography.delivery import TryLater
from choreography.protocol import Note
from guard.guard import Attempt, Call, Guard
from guard.guard import Refusal as KeptOut
from partners.participant import Noted, Refusal, Told
from partners.rules import confirmed, repeated
from partners.store import Code, DifferentBody, Refused, Reservation, Status, UnknownKey
from record.adapter_steps import AdapterStep, AdapterSteps
from trip.calls import PartnerCall, Terms
from trip.partner import EXPIRED, PAYMENT, Partner, Verb, declared
from trip.partner import Reservation as Answer
from trip.plan import Body, terms

_CODES: Mapping[str, str] = {code.value: code for code in Code}
"""The codes that a partner of the project's own has for its refusals; another partner may have others."""


@dataclass(frozen=True)
class HttpPartner:
    """The partner's rows, in the words of partners.participant.Participation.

    Whatever asks the partner raises acting.Unanswered if the partner gives no answer of use, and TryLater if
    the guard gives no leave. All raise RecordAway.

    Nothing looks for holds that have expired. The partner gives back what they held, and no capture is
    decided over a hold whose time is over. A hold that expires after that is learnt from the partner's answer
    to the confirmation.
    """

    me: Partner
    steps: AdapterSteps
    guard: Guard
    http: PartnerHttp

    async def hold(self, key: str, body: BaseModel, note: str | None = None) -> tuple[Reservation, bool]:
        """As Participation.hold."""
        wanted = body.model_dump(mode="json")
        body_hash = _hash(wanted)
        step = await self.steps.ask(key, body_hash, note)
        is_new = step.status is None
        if is_new:
            if step.body_hash != body_hash:
                raise DifferentBody
            step = await self._hold(step, wanted)
        step = await self._give_back(step)
        return repeated(step.reservation(), step.body_hash == body_hash), is_new

    async def confirm(self, key: str) -> Reservation:
        """As Participation.confirm."""
        step = await self.steps.try_confirm(key)
        if step is None or step.status is None:
            raise UnknownKey
        if step.status is Status.HELD:
            step = await self._confirm(step)
        step = await self._give_back(step)
        return confirmed(step.reservation())

    async def release(self, key: str, note: str | None = None) -> Reservation:
        """As Participation.release."""
        step = await self._give_back(await self.steps.release(key, note))
        return step.reservation()

    async def refuse(self, key: str, refusal: Refusal, note: str) -> Noted:
        """As Participation.refuse. An attempt before may have taken effect, or may do so yet."""
        step = await self._give_back(await self.steps.refuse(key, refusal, note))
        return step.noted()

    async def written(self, key: str) -> Noted | None:
        """As Participation.written. None also while the partner has to release the key."""
        return await self.steps.written(key)

    async def untold(self, limit: int) -> Sequence[Noted]:
        """As Participation.untold."""
        return await self.steps.untold(limit)

    async def mark_told(self, told: Sequence[Told]) -> None:
        """As Participation.mark_told."""
        await self.steps.mark_told(told)

    async def arrive(self, key: str, source: str, word: str) -> Mapping[str, str]:
        """As Participation.arrive."""
        return await self.steps.arrive(key, source, word)

    async def _hold(self, step: AdapterStep, body: Body) -> AdapterStep:
        call = PartnerCall(key=step.key, body=body, terms=_agreed(self.me, body, step))
        answer = await self._ask(Verb.RESERVE, step, call)
        step = await self.steps.hold(step.key, answer)
        if step.status in (Status.RELEASED, Status.EXPIRED):
            return await self.steps.owe(step.key)
        return step

    async def _confirm(self, step: AdapterStep) -> AdapterStep:
        try:
            answer = await self._ask(Verb.CONFIRM, step, PartnerCall(key=step.key, terms=_kept(step)))
        except Refused as refused:
            if refused.code == EXPIRED:
                return await self.steps.expire(step.key)
            return await self.steps.release(step.key, None)
        return await self.steps.confirm(step.key, answer.reference)

    async def _give_back(self, step: AdapterStep) -> AdapterStep:
        """Release at the partner what is owed. A hold that comes too late meanwhile is owed next."""
        while step.owed:
            await self._ask(Verb.RELEASE, step, PartnerCall(key=step.key))
            step = await self.steps.give_back(step.key, step.owed)
        return step

    async def _ask(self, verb: Verb, step: AdapterStep, call: PartnerCall) -> Answer:
        """Ask the partner once. Raises Refused, acting.Unanswered and TryLater."""
        guarded = Call(self.me, f"{call.key}/{self.me}/{verb}", urgent=verb is not Verb.RESERVE)
        leave = await self.guard.admit(guarded, Attempt(number=max(step.tries, 1)))
        if isinstance(leave, KeptOut):
            raise TryLater(leave.retry_in_s, leave.reason.value)
        request = self.http.send(verb, self.me, call, declared(self.me).attempt_s)
        match await attempt(leave, request):
            case RefusedOverHttp(code, message):
                raise Refused(_CODES.get(code, code), message)
            case Unanswered(message, retry_after_s, _, code):
                raise acting.Unanswered(message, retry_after_s, code)
            case Answer() as answer:
                return answer


def _agreed(me: Partner, body: Body, step: AdapterStep) -> Terms | None:
    """What the answer to a hold has to keep to; the note knows the trip's currency."""
    if step.note is None:
        return None
    parts = {**Note.model_validate_json(step.note).slip.parts, me: body}
    return terms(me, body, parts[PAYMENT]["currency"], step.at)


def _kept(step: AdapterStep) -> Terms:
    """What the answer to a confirmation has to keep to: what is held."""
    assert step.amount_minor is not None and step.currency is not None, "a hold has both"
    return Terms(
        currency=step.currency,
        least_minor=step.amount_minor,
        most_minor=step.amount_minor,
        now=step.at,
        expires_at=step.expires_at,
    )


def _hash(body: Body) -> bytes:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
