"""What a trip asks of the breakers before its first call, and what the health probe tells them."""

from collections.abc import Callable, Mapping
from typing import Any

from temporalio import activity

from activities.attempt import current_attempt, gives_up, puts_off, unavailable
from activities.shared import Shared
from config.settings import Settings
from guard.guard import Reason
from guard.store import Store
from record import fence
from record.pool import Pool
from serving.client import HttpClient, ailment
from trip.attempts import AttemptOutcome
from trip.calls import BreakerCheck, BreakerFinding
from trip.fence import Barring, Standing, deadline_exceeded, failed
from trip.partner import Partner, Verb
from trip.trip import Failure

HEALTH_TIMEOUT_S = 3.0

_OPEN = unavailable(Reason.BREAKER_OPEN.value, attempts=0)


class BreakerChecks:
    """What a trip asks before its first call, and if it may not make one."""

    def __init__(self, shared: Shared) -> None:
        self._guard = shared.guard
        self._pool = shared.pool
        self._journal = shared.journal

    def activities(self) -> list[Callable[..., Any]]:
        """The one activity."""
        return [self.check_breaker]

    @activity.defn
    async def check_breaker(self, check: BreakerCheck) -> BreakerFinding:
        """Find the first partner whose breaker is open. This calls no partner.

        A local activity also marks in the trip's record that sending begins, or that nothing is sent. An
        ordinary activity with `wait` is put off until all breakers let calls in and it is the trip's turn.
        """
        if activity.info().is_local:
            return await self._check_at_once(check)
        refusal = self._guard.look(check.partners, has_waited=current_attempt().has_waited)
        if refusal is None:
            return BreakerFinding(open_at=None)
        partner = Partner(refusal.partner)
        if refusal.reason is Reason.BREAKER_OPEN and not check.wait:
            return self._kept_out(partner)
        raise self._journal.noted(Verb.RESERVE, partner, puts_off(refusal, attempts=0))

    async def _check_at_once(self, check: BreakerCheck) -> BreakerFinding:
        self._guard.count_new(check.partners)
        refusal = self._guard.look(check.partners)
        if refusal is None:
            too_late = failed(deadline_exceeded(check.partners[0]))
            standing, left_s = await fence.begin(self._pool, check.trip_id, too_late)
            return BreakerFinding(open_at=None, standing=standing, left_s=left_s)
        partner = Partner(refusal.partner)
        if check.wait:
            left_s = await fence.left_s(self._pool, check.trip_id)
            return BreakerFinding(open_at=partner, left_s=left_s)
        is_open = Failure(step=partner, code=_OPEN.code, message=_OPEN.message)
        barring = Barring(trip_id=check.trip_id, ending=failed(is_open))
        return self._kept_out(partner, await fence.bar(self._pool, barring))

    def _kept_out(self, partner: Partner, standing: Standing | None = None) -> BreakerFinding:
        """The finding that ends the trip: no further attempt follows."""
        self._journal.noted(Verb.RESERVE, partner, gives_up(_OPEN, AttemptOutcome.KEPT_OUT))
        return BreakerFinding(open_at=partner, standing=standing)


class HealthProbes:
    """The activity that asks partners how they are."""

    def __init__(self, settings: Settings, clients: Mapping[Partner, HttpClient], pool: Pool) -> None:
        self._clients = clients
        self._store = Store(pool, settings.breaker_policy())

    def activities(self) -> list[Callable[..., Any]]:
        """The activity."""
        return [self.probe_partner]

    @activity.defn
    async def probe_partner(self, partner: Partner) -> str:
        """Ask the partner how it is, and tell its breaker. Returns `ok`, or what is wrong with it."""
        error = await ailment(self._clients[partner], HEALTH_TIMEOUT_S)
        await self._store.report_health(partner, healthy=error is None, error=error)
        return error or "ok"
