"""The breakers as a worker uses them: a cached view of the shared state, to which answers are sent back."""

import asyncio
import itertools
import logging
import random
import time
import uuid
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

from guard.cache import PROBE_RECHECK_S, Cache
from guard.link import Ask, Link, StoreAway
from guard.models import Tally
from guard.permit import BreakerOpen, Kind, Permit
from guard.policy import BreakerPolicy, Outcome, State, with_duration
from guard.store import Store

REFRESH_S = 1.0
COUNT_EVERY_S = 10.0
CALL_LIMIT_S = 0.3
SYNC_LIMIT_S = 2.0

log = logging.getLogger(__name__)


class Breakers:
    """The breakers of `partners`. Enter it as a context manager.

    A closed breaker costs a call no round trip. The view is read again every second, and whenever a breaker
    changes. While the store is away, local breakers decide: no method raises for it, and no call waits longer
    than `call_limit_s` seconds. Every method raises KeyError for any other partner. With `fleet_name`,
    `fleet` tells how many processes have breakers of that name.
    """

    def __init__(
        self,
        database_url: str,
        policy: BreakerPolicy,
        partners: Sequence[str],
        *,
        call_limit_s: float = CALL_LIMIT_S,
        fleet_name: str | None = None,
    ) -> None:
        self._policy = policy
        self._call_limit_s = call_limit_s
        self._partners = tuple(partners)
        self._cache = Cache(self._partners, policy)
        self._changed = asyncio.Event()
        self._link = Link(database_url, policy, self._changed.set, fleet_name or "breaker")
        self._counts_fleet = fleet_name is not None
        self._count_again = 0.0
        self.fleet = 1
        """How many processes share the partners with this one, itself included."""
        self._pending: defaultdict[str, list[Tally]] = defaultdict(list)
        self._name = uuid.uuid4().hex
        self._tries = itertools.count()
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._ask(self._sync, SYNC_LIMIT_S)
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
        self._collect()
        await self._ask(self._flush)
        await self._link.close()

    @property
    def is_local(self) -> bool:
        """Whether the store is away, so that this process decides alone."""
        return self._cache.is_local

    def admitted(self, partner: str) -> Permit | None:
        """The permit of a closed breaker, without a round trip. If None, ask `admit`."""
        return self._cache.closed.get(partner)

    def peek(self, partner: str) -> BreakerOpen | None:
        """Why a call would be kept out now, or None if it would be let in. Takes no lease."""
        return self._cache.refusal(partner, time.monotonic())

    async def admit(self, partner: str, past_breaker: bool = False) -> Permit:
        """A permit to call `partner` once. Tell `record` what came of the call. Raises BreakerOpen.

        When the open time is over, one caller in the whole fleet gets the probe. `past_breaker` lets the call
        through an open breaker too, but not through an operator's override.
        """
        permit = self._cache.closed.get(partner) or await self._admit_one(partner)
        if permit is not None:
            return permit
        refusal = self.peek(partner) or BreakerOpen(partner, PROBE_RECHECK_S, None)
        standing = self._cache.standing(partner)
        if past_breaker and standing.override is None:
            return Permit(partner, standing.version, Kind.PAST)
        raise refusal

    async def record(
        self, permit: Permit, outcome: Outcome, duration_s: float, error: str | None = None
    ) -> None:
        """Record what came of the call. If the breaker has changed since, nothing changes.

        Failures and probes are written before this returns, successes within a second.
        """
        outcome = with_duration(outcome, duration_s, self._policy)
        if self._cache.is_local:
            self._cache.record_locally(permit, outcome, error, time.monotonic(), random.random())
        elif not permit.local:
            await self._record_shared(permit, outcome, error)
        elif permit.kind is Kind.CALL:  # the store is back since
            self._count(permit.partner, self._cache.standing(permit.partner).version, outcome, error)

    def only_counts(self, permit: Permit, outcome: Outcome, duration_s: float) -> bool:
        """Whether `record` awaits nothing, so that no cancel can cut it short."""
        outcome = with_duration(outcome, duration_s, self._policy)
        return permit.kind is Kind.CALL and outcome is Outcome.SUCCESS

    async def _admit_one(self, partner: str) -> Permit | None:
        """The permit of a breaker that was not known to be closed, if it gives one."""
        if self.peek(partner) is not None:
            return None
        owner = f"{self._name}-{next(self._tries)}"

        async def acquire(store: Store) -> None:
            # Callers before this one in the queue may have learnt it.
            if partner not in self._cache.closed and self.peek(partner) is None:
                self._cache.apply(await store.acquire_probe(partner, owner), time.monotonic())

        if self._cache.is_local or not await self._ask(acquire):
            return self._cache.admit_locally(partner, time.monotonic())
        standing = self._cache.standing(partner)
        if standing.state is State.HALF_OPEN and standing.lease_owner == owner:
            return Permit(partner, standing.version, Kind.PROBE)
        return self._cache.closed.get(partner)

    async def _record_shared(self, permit: Permit, outcome: Outcome, error: str | None) -> None:
        match permit.kind:
            case Kind.PROBE:
                await self._settle(permit, outcome, error)
            case Kind.PAST:
                if outcome is Outcome.SUCCESS:
                    await self._report_healthy(permit.partner)
            case Kind.CALL:
                self._count(permit.partner, permit.version, outcome, error)
                if outcome in {Outcome.FAILURE, Outcome.SLOW}:
                    await self._ask(self._flush)

    async def _settle(self, permit: Permit, outcome: Outcome, error: str | None) -> None:
        succeeded = None if outcome is Outcome.IGNORED else outcome is Outcome.SUCCESS

        async def settle(store: Store) -> None:
            standing = await store.settle_probe(permit.partner, permit.version, succeeded, error)
            self._cache.apply(standing, time.monotonic())

        await self._ask(settle)

    async def _report_healthy(self, partner: str) -> None:
        async def report(store: Store) -> None:
            self._cache.apply(await store.report_health(partner, healthy=True), time.monotonic())

        await self._ask(report)

    def _count(self, partner: str, version: int, outcome: Outcome, error: str | None) -> None:
        if outcome is Outcome.IGNORED:
            return
        tallies = self._pending[partner]
        tally = next((tally for tally in tallies if tally.version == version), None)
        if tally is None:
            tallies.append(tally := Tally(version))
        tally.add(outcome, error)

    async def _flush(self, store: Store) -> None:
        """Send all counts, also those of the callers that wait for their turn."""
        while self._pending:
            partner, tallies = self._pending.popitem()
            try:
                while tallies:
                    standing = await store.record(partner, tallies[0])
                    tallies.pop(0)
                    self._cache.apply(standing, time.monotonic())
            finally:
                self._keep_counts(partner, tallies)

    def _keep_counts(self, partner: str, tallies: list[Tally]) -> None:
        """Keep what the store has not taken: in the local breaker if that one decides, else for later."""
        if not tallies:
            return
        if self._cache.is_local:
            for tally in tallies:
                self._cache.count_locally(partner, tally, time.monotonic(), random.random())
        else:
            self._pending[partner] = tallies + self._pending[partner]

    def _collect(self) -> None:
        """Make what the local breakers have counted part of what is to be sent."""
        for partner, tallies in self._cache.take_counts(time.monotonic()):
            if tallies:
                self._pending[partner] += tallies

    async def _sync(self, store: Store) -> None:
        """Tell the store what was counted, and only then take its word on all breakers."""
        self._collect()
        await self._flush(store)
        standings = await store.read_standings(self._partners)
        if self._cache.is_local:
            log.warning("the breakers' store is back and decides again")
            self._collect()
            self._changed.set()  # what was counted meanwhile follows at once
        self._cache.replace(standings, time.monotonic())
        if self._counts_fleet and time.monotonic() >= self._count_again:
            self.fleet = max(1, await store.count_fleet())
            self._count_again = time.monotonic() + COUNT_EVERY_S

    async def _ask(self, ask: Ask, limit_s: float | None = None) -> bool:
        """Whether the store answered. If it did not, the local breakers decide from now on."""
        try:
            await self._link.call(ask, limit_s or self._call_limit_s)
        except StoreAway as error:
            if not self._cache.is_local:
                log.warning("the breakers' store is away, local breakers decide: %s", error)
            self._cache.go_local(time.monotonic())
            pending, self._pending = self._pending, defaultdict(list)
            for partner, tallies in pending.items():
                self._keep_counts(partner, tallies)
            return False
        return True

    async def _keep(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(REFRESH_S):
                    await self._changed.wait()
            self._changed.clear()
            await self._ask(self._sync, SYNC_LIMIT_S)
