"""The same saga in the memory of one process: retries, breakers, keys and compensation, and nothing kept."""

import asyncio
import random
import time
from dataclasses import dataclass

import aiohttp

from config.settings import Settings
from guard.backoff import keyed_delay
from guard.permit import BreakerOpen, Permit
from guard.policy import Outcome
from guard.view import Breakers
from trials.bench.contest import plain
from trials.bench.contest.calls import Refused, Unanswered, call_partner
from trials.orders import Json
from trip.order import TripOrder
from trip.partner import Partner

LONGEST_LOOK_S = 15.0


@dataclass(frozen=True)
class MemorySaga:
    """Books trips; a trip whose process ends is left as it stands."""

    http: aiohttp.ClientSession
    breakers: Breakers
    config: Settings

    async def book(self, key: str, order: TripOrder) -> str:
        """`confirmed`, or `failed` with everything undone."""
        sent: list[str] = []
        waits = order.when_partner_down == "wait"

        async def call(verb: str, partner: str, body: Json | None) -> int:
            if verb == "hold":
                sent.append(partner)
            return await self._call(verb, Partner(partner), key, body, waits or verb != "hold")

        try:
            # Nothing is sent while a partner of the trip is known to be out.
            for partner in order.partners():
                while refusal := self.breakers.peek(partner):
                    await _put_off(refusal, waits)
            await plain.book(call, order.model_dump(mode="json"))
        except (Refused, Unanswered, BreakerOpen):
            for undone in reversed(sent):
                await call("release", undone, None)
            return "failed"
        return "confirmed"

    async def _call(self, verb: str, partner: Partner, key: str, body: Json | None, waits: bool) -> int:
        """One call, tried again. Raises Refused, and for a hold Unanswered and BreakerOpen."""
        made, policy = 0, self.config.backoff(partner)
        while True:
            permit, started = await self._let_in(partner, waits), time.monotonic()
            outcome, error = Outcome.SUCCESS, None
            try:
                return await call_partner(self.http, self.config.partner_url(partner), verb, key, body)
            except Unanswered as unanswered:
                outcome, error, made = Outcome.FAILURE, str(unanswered), made + 1
                if verb == "hold" and made >= self.config.retry_attempts:
                    raise
            finally:
                took_s = time.monotonic() - started
                await asyncio.shield(self.breakers.record(permit, outcome, took_s, error))
            await asyncio.sleep(keyed_delay(policy, made - 1, f"{key}/{partner}/{verb}"))

    async def _let_in(self, partner: Partner, waits: bool) -> Permit:
        while True:
            try:
                return await self.breakers.admit(partner)
            except BreakerOpen as refusal:
                await _put_off(refusal, waits)


async def _put_off(refusal: BreakerOpen, waits: bool) -> None:
    if not waits:
        raise refusal
    await asyncio.sleep(random.uniform(1, 1.5) * min(refusal.retry_in_s, LONGEST_LOOK_S))
