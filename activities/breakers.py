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
from domain.partner import BreakerCheck, BreakerFinding, Partner
from domain.settings import Settings
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
        self._store = Store(pool, breaker_policy(settings))

    def activities(self) -> list[Callable[..., Any]]:
        """Both activities."""
        return [self.check_breaker, self.probe_partner]

    @activity.defn
    async def check_breaker(self, check: BreakerCheck) -> BreakerFinding:
        """The first of the partners whose breaker is open, if any.

        With `wait` there is none: the activity is put off until all let calls in, and then until the place
        that is given to it among those who waited. It calls nobody.
        """
        attempt, now = current_attempt(), time.monotonic()
        if attempt.is_first:
            for partner in check.partners:
                self._paces[partner].record_new(now)
        for partner in check.partners:
            refusal = self._breakers.peek(partner)
            if refusal is None:
                continue
            if check.wait:
                error = unavailable(partner, "its breaker is open", attempts=0)
                raise waits_for_breaker(error, attempt, refusal.retry_in_s)
            return BreakerFinding(open_at=partner)
        if attempt.has_waited:
            self._check_place(check.partners, attempt, now)
        return BreakerFinding(open_at=None)

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
