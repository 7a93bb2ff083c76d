"""What a trip asks of the breakers before its first call, and what the health probe tells them."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
from temporalio import activity

from activities.attempt import (
    BREAKER_OPEN,
    WAITED_BEFORE,
    Attempt,
    current_attempt,
    gives_up,
    unavailable,
    waits,
    waits_for_breaker,
)
from activities.shared import Shared
from config.settings import Settings
from guard.store import Store
from record import sending
from record.pool import Pool
from trip.attempts import AttemptOutcome
from trip.partner import BreakerCheck, BreakerFinding, Partner, Sending, Verb
from trip.trip import Barring

HEALTH_TIMEOUT_S = 3.0

_OPEN = unavailable(BREAKER_OPEN, attempts=0)


class BreakerChecks:
    """What a trip asks before its first call, and where it may not make one."""

    def __init__(self, shared: Shared) -> None:
        self._breakers = shared.breakers
        self._paces = shared.paces
        self._pool = shared.pool
        self._journal = shared.journal

    def activities(self) -> list[Callable[..., Any]]:
        """Both activities."""
        return [self.check_breaker, self.bar_sending]

    @activity.defn
    async def check_breaker(self, check: BreakerCheck) -> BreakerFinding:
        """The first of the partners whose breaker is open, if any; it calls nobody.

        As a local activity it leaves the mark in the trip's record that sending begins, or that nothing is
        sent. As an ordinary one, with `wait`, it is put off until all breakers let calls in, and then until
        the place that is given to it among those who waited.
        """
        if activity.info().is_local:
            return await self._check_at_once(check)
        attempt = current_attempt()
        if (found := self._first_open(check.partners)) is not None:
            partner, retry_in_s = found
            if not check.wait:
                return self._kept_out(partner)
            failure = waits_for_breaker(_OPEN, attempt, retry_in_s)
            raise self._journal.noted(Verb.RESERVE, partner, failure)
        if attempt.has_waited:
            self._check_place(check.partners, attempt, time.monotonic())
        return BreakerFinding(open_at=None)

    @activity.defn
    async def bar_sending(self, trip_id: str) -> Barring:
        """How far the trip had come in sending; it goes no further, unless its capture is decided."""
        return await sending.bar(self._pool, trip_id)

    async def _check_at_once(self, check: BreakerCheck) -> BreakerFinding:
        now = time.monotonic()
        for partner in check.partners:
            self._paces[partner].record_new(now)
        if (found := self._first_open(check.partners)) is None:
            return BreakerFinding(open_at=None, sending=await sending.begin(self._pool, check.trip_id))
        if check.wait:
            return BreakerFinding(open_at=found[0])
        return self._kept_out(found[0], (await sending.bar(self._pool, check.trip_id)).sending)

    def _kept_out(self, partner: Partner, barred: Sending | None = None) -> BreakerFinding:
        """The finding that ends the trip: no further attempt follows."""
        self._journal.noted(Verb.RESERVE, partner, gives_up(_OPEN, AttemptOutcome.KEPT_OUT))
        return BreakerFinding(open_at=partner, sending=barred)

    def _first_open(self, partners: Sequence[Partner]) -> tuple[Partner, float] | None:
        """A partner whose breaker is open, and in how many seconds it may let a call in."""
        for partner in partners:
            if (refusal := self._breakers.peek(partner)) is not None:
                return partner, refusal.retry_in_s
        return None

    def _check_place(self, partners: Sequence[Partner], attempt: Attempt, now: float) -> None:
        """The trip will call all of them, so it takes a place with each, and the last one counts."""
        place_in_s, partner = max((self._paces[partner].place_in(now), partner) for partner in partners)
        if place_in_s:
            error = unavailable(WAITED_BEFORE, attempts=0)
            raise self._journal.noted(Verb.RESERVE, partner, waits(error, attempt, place_in_s))


class HealthProbes:
    """The activity that asks partners how they are."""

    def __init__(self, settings: Settings, session: aiohttp.ClientSession, pool: Pool) -> None:
        self._settings = settings
        self._session = session
        self._store = Store(pool, settings.breaker_policy())

    def activities(self) -> list[Callable[..., Any]]:
        """The activity."""
        return [self.probe_partner]

    @activity.defn
    async def probe_partner(self, partner: Partner) -> str:
        """Ask the partner how it is and tell its breaker: `ok`, or what is wrong with it."""
        error = await self._ailment(partner)
        await self._store.report_health(partner, healthy=error is None, error=error)
        return error or "ok"

    async def _ailment(self, partner: Partner) -> str | None:
        url = f"{self._settings.partner_url(partner)}/healthz"
        timeout = aiohttp.ClientTimeout(total=HEALTH_TIMEOUT_S)
        try:
            async with self._session.get(url, timeout=timeout) as answer:
                return None if answer.status == 200 else f"health check answered {answer.status}"
        except TimeoutError:
            return f"health check not answered within {HEALTH_TIMEOUT_S:g} s"
        except aiohttp.ClientError as error:
            return f"health check: {error or type(error).__name__}"
