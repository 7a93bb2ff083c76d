"""The guard's door: may this call go out now, and if not, when?

It asks a partner's circuit breaker, its retry budget, its pace and its bulkhead. It knows the backoff between
attempts.
"""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from guard import figures
from guard.backoff import MIN_DELAY_S, BackoffPolicy, keyed_delay
from guard.budget import BudgetPolicy, RetryBudget
from guard.bulkhead import CALLS_AT_ONCE, Bulkhead
from guard.pacing import Pace
from guard.permit import BreakerOpen, Permit
from guard.policy import Outcome
from guard.view import Breakers

SHORTEST_WAIT_S = 0.1
LONGEST_WAIT_S = 15.0
"""A breaker may close ahead of its time, and callers that wait for it should find out."""


class Reason(StrEnum):
    """Why a call may not go out now, in words for people."""

    BREAKER_OPEN = "the partner's breaker is open"
    BUDGET_SPENT = "the partner's retry budget is spent"
    NOT_ITS_TURN = "others have waited for the partner before"
    NO_PLACE = "as many calls to the partner are out as may be"


@dataclass(frozen=True, slots=True)
class Call:
    """A call with all its attempts. `key` names it; its delays are drawn from it.

    An urgent call takes no turn, and may use all of the retry budget.
    """

    partner: str
    key: str
    urgent: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a call. `number` counts from 1; a refused attempt was not made and does not count.

    `has_waited`: the last attempt was refused by an open breaker. `past_breaker`: an operator lets this one
    through an open breaker.
    """

    number: int = 1
    has_waited: bool = False
    past_breaker: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """The call may not go out now. After `retry_in_s` seconds it may ask again."""

    partner: str
    reason: Reason
    retry_in_s: float


@dataclass(frozen=True, slots=True)
class Leave:
    """The call may go out once. Its place in the bulkhead is taken until `record`."""

    breakers: Breakers
    permit: Permit
    bulkhead: Bulkhead

    async def record(self, outcome: Outcome, took_s: float, error: str | None = None) -> None:
        """Tell the breaker what came of the call, even if the caller is cancelled meanwhile."""
        self.bulkhead.give_back()
        figures.sent(self.permit.partner, outcome, took_s)
        recorded = self.breakers.record(self.permit, outcome, took_s, error)
        # A shield is a task of its own, which most calls can do without.
        only_counts = self.breakers.only_counts(self.permit, outcome, took_s)
        await (recorded if only_counts else asyncio.shield(recorded))


class Guard:
    """The guard of one process, for the partners that have a backoff policy. KeyError for any other."""

    def __init__(
        self,
        breakers: Breakers,
        backoffs: Mapping[str, BackoffPolicy],
        budget: BudgetPolicy,
        calls_at_once: int = CALLS_AT_ONCE,
    ) -> None:
        self._breakers = breakers
        self._backoffs = backoffs
        self._budgets = {partner: RetryBudget(budget, lambda: breakers.fleet) for partner in backoffs}
        self._paces = {partner: Pace() for partner in backoffs}
        self._bulkheads = {partner: Bulkhead(calls_at_once) for partner in backoffs}

    async def admit(self, call: Call, attempt: Attempt) -> Leave | Refusal:
        """Leave to send one attempt, or when to ask again. While the breaker is closed, this does no I/O."""
        bulkhead = self._bulkheads[call.partner]
        if not bulkhead.take(urgent=call.urgent):
            return Refusal(call.partner, Reason.NO_PLACE, random.uniform(SHORTEST_WAIT_S, 1))
        answer: Permit | Refusal | None = None
        try:
            answer = await self._ask(call, attempt)
        finally:
            if not isinstance(answer, Permit):
                bulkhead.give_back()
        return Leave(self._breakers, answer, bulkhead) if isinstance(answer, Permit) else answer

    async def _ask(self, call: Call, attempt: Attempt) -> Permit | Refusal:
        if not attempt.past_breaker and (refusal := self._refusal(call, attempt)):
            return refusal
        try:
            permit = await self._breakers.admit(call.partner, attempt.past_breaker)
        except BreakerOpen as kept_out:
            return _until_it_closes(kept_out)
        if attempt.number == 1:
            self._budgets[call.partner].record_call(time.monotonic())
        return permit

    def backoff_s(self, call: Call, made: int, at_least_s: float | None = None) -> float:
        """Seconds from the failure of attempt `made` (1 is the first) to the next attempt."""
        return keyed_delay(self._backoffs[call.partner], made - 1, call.key, retry_after_s=at_least_s)

    def count_new(self, partners: Sequence[str]) -> None:
        """Count a new caller of these partners. Callers that waited come back as fast as new ones come."""
        now = time.monotonic()
        for partner in partners:
            self._paces[partner].record_new(now)

    def look(self, partners: Sequence[str], *, has_waited: bool = False) -> Refusal | None:
        """The refusal that a caller of all these partners would meet now. It uses nothing up but a turn.

        A caller that has waited takes a turn with each of the partners; the last of these turns counts.
        """
        for partner in partners:
            if kept_out := self._breakers.peek(partner):
                return _until_it_closes(kept_out)
        if not has_waited:
            return None
        now = time.monotonic()
        turn_in_s, partner = max((self._paces[partner].place_in(now), partner) for partner in partners)
        return _not_its_turn(partner, turn_in_s)

    def _refusal(self, call: Call, attempt: Attempt) -> Refusal | None:
        # The breaker comes first: a call that it keeps out spends none of the budget.
        takes_turn = attempt.has_waited and not call.urgent
        if refusal := self.look([call.partner], has_waited=takes_turn):
            return refusal
        if attempt.number == 1:
            return None
        spent_for_s = self._budgets[call.partner].ask(time.monotonic(), urgent=call.urgent)
        if not spent_for_s:
            return None
        retry_in_s = self.backoff_s(call, attempt.number - 1, spent_for_s)
        return Refusal(call.partner, Reason.BUDGET_SPENT, retry_in_s)


def _not_its_turn(partner: str, turn_in_s: float) -> Refusal | None:
    return Refusal(partner, Reason.NOT_ITS_TURN, max(turn_in_s, MIN_DELAY_S)) if turn_in_s else None


def _until_it_closes(kept_out: BreakerOpen) -> Refusal:
    """The wait is jittered, so that the callers that wait do not all come back at once."""
    longest = max(SHORTEST_WAIT_S, min(kept_out.retry_in_s, LONGEST_WAIT_S))
    return Refusal(kept_out.partner, Reason.BREAKER_OPEN, random.uniform(longest, 1.5 * longest))
