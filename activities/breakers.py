"""What a trip asks of the breakers before its first call, and what the health probe tells them."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import aiohttp
from temporalio import activity

from activities.attempt import Attempt, current_attempt, unavailable, waits, waits_for_breaker
from breaker.configured import breaker_policy
from breaker.store import Store
from breaker.view import Breakers
from domain.pacing import Pace
from domain.partner import BreakerCheck, BreakerFinding, Partner, Sending
from domain.settings import Settings
from record import sending
from record.pool import Pool

HEALTH_TIMEOUT_S = 3.0


class BreakerActivities:
    """The activities that look at breakers, or after them."""

    def __init__(
        self,
        settings: Settings,
        session: aiohttp.ClientSession,
        breakers: Breakers,
        paces: Mapping[Partner, Pace],
        pool: Pool,
    ) -> None:
        self._settings = settings
        self._session = session
        self._breakers = breakers
        self._paces = paces
        self._pool = pool
        self._store = Store(pool, breaker_policy(settings))

    def activities(self) -> list[Callable[..., Any]]:
        """All of them."""
        return [self.check_breaker, self.bar_sending, self.probe_partner]

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
                return BreakerFinding(open_at=partner)
            error = unavailable(partner, "its breaker is open", attempts=0)
            raise waits_for_breaker(error, attempt, retry_in_s)
        if attempt.has_waited:
            self._check_place(check.partners, attempt, time.monotonic())
        return BreakerFinding(open_at=None)

    @activity.defn
    async def bar_sending(self, trip_id: str) -> Sending:
        """Whether sending had begun; where it had not, it never will."""
        return await sending.bar(self._pool, trip_id)

    async def _check_at_once(self, check: BreakerCheck) -> BreakerFinding:
        now = time.monotonic()
        for partner in check.partners:
            self._paces[partner].record_new(now)
        if (found := self._first_open(check.partners)) is None:
            return BreakerFinding(open_at=None, sending=await sending.begin(self._pool, check.trip_id))
        if check.wait:
            return BreakerFinding(open_at=found[0])
        return BreakerFinding(open_at=found[0], sending=await sending.bar(self._pool, check.trip_id))

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
            error = unavailable(partner, "others waited for it before", attempts=0)
            raise waits(error, attempt, place_in_s)

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
