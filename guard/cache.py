"""What one process knows of the breakers: the store's last word, or its own while the store is away.

No I/O. Times are seconds of the process's monotonic clock, passed in.
"""

from collections.abc import Iterable, Iterator, Sequence

from guard.local import LocalBreaker
from guard.models import Standing, Tally
from guard.permit import BreakerOpen, Kind, Permit
from guard.policy import BreakerPolicy, Outcome, State

PROBE_RECHECK_S = 1.0  # a probe is mostly answered long before its lease ends
OVERRIDE_RECHECK_S = 5.0  # an override has no set end


class Cache:
    """The breakers of a fixed set of partners. KeyError for any other."""

    def __init__(self, partners: Sequence[str], policy: BreakerPolicy) -> None:
        self.closed: dict[str, Permit] = {}
        self._policy = policy
        self._standings: dict[str, Standing] = {}
        self._seen_at: dict[str, float] = {}
        self._local: dict[str, LocalBreaker] = {}
        for partner in partners:
            self.apply(Standing(partner=partner), 0.0)

    @property
    def is_local(self) -> bool:
        """Whether the store is away, so that the local breakers decide."""
        return bool(self._local)

    def standing(self, partner: str) -> Standing:
        """The store's last word on `partner`."""
        return self._standings[partner]

    def apply(self, standing: Standing, now: float) -> None:
        """Take the store's word on one partner. If the local breakers decide, they still do."""
        partner = standing.partner
        self._standings[partner] = standing
        self._seen_at[partner] = now
        if partner in self._local and standing.state is not State.CLOSED:
            self._local[partner] = self._local_breaker(partner, now)
        lets_in = standing.state is State.CLOSED and not standing.override and partner not in self._local
        if lets_in or standing.override == "closed":
            self.closed[partner] = Permit(partner, standing.version)
        else:
            self.closed.pop(partner, None)

    def replace(self, standings: Iterable[Standing], now: float) -> None:
        """Take the store's word on all partners. It replaces what was decided locally."""
        self._local = {}
        known = {standing.partner: standing for standing in standings}
        for partner in self._standings:
            self.apply(known.get(partner, Standing(partner=partner)), now)

    def go_local(self, now: float) -> None:
        """The store is away: let local breakers decide. Each starts from the store's last word."""
        if not self._local:
            self._local = {partner: self._local_breaker(partner, now) for partner in self._standings}
            for partner, standing in self._standings.items():
                if standing.override != "closed":
                    self.closed.pop(partner, None)

    def count_locally(self, partner: str, tally: Tally, now: float, jitter: float) -> None:
        """Count in the local breaker what the store did not take."""
        if tally.version == self._standings[partner].version:
            self._local[partner].count(tally, now, jitter)

    def take_counts(self, now: float) -> Iterator[tuple[str, list[Tally]]]:
        """Take out what the local breakers have counted and the store does not know."""
        for partner, local in self._local.items():
            yield partner, local.take_counts(now, self._standings[partner].version)

    def refusal(self, partner: str, now: float) -> BreakerOpen | None:
        """Why a call to `partner` would be kept out, or None if it would be let in."""
        standing = self._standings[partner]
        if standing.override is not None:
            kept_out = standing.override == "open"
            return BreakerOpen(partner, OVERRIDE_RECHECK_S, None) if kept_out else None
        if self._local:
            state, left = self._local[partner].state, self._local[partner].refused_for(now)
        else:
            state, left = standing.state, self._left(partner, now)
        if left <= 0:
            return None
        if state is State.OPEN:
            return BreakerOpen(partner, left, standing.open_until)
        return BreakerOpen(partner, min(left, PROBE_RECHECK_S), None)

    def admit_locally(self, partner: str, now: float) -> Permit | None:
        """A permit of the local breaker. None if it keeps the call out, or if the store is back."""
        if not self._local:
            return None
        admitted = self._local[partner].admit(now)
        if admitted is None:
            return None
        version, probe = admitted
        return Permit(partner, version, Kind.PROBE if probe else Kind.CALL, local=True)

    def record_locally(
        self, permit: Permit, outcome: Outcome, error: str | None, now: float, jitter: float
    ) -> None:
        """Count an answer in the local breaker.

        A call that the store's closed breaker let in counts too. The store's probes and calls past the
        breaker do not.
        """
        local = self._local[permit.partner]
        if permit.local:
            local.record(permit.version, outcome, now, jitter, error)
        elif permit.kind is Kind.CALL and local.state is State.CLOSED:
            local.record(local.version, outcome, now, jitter, error)

    def _left(self, partner: str, now: float) -> float:
        """Seconds left of the open time or of the probe lease: the store's figure, less the time since."""
        standing = self._standings[partner]
        return max(standing.open_left_s, standing.lease_left_s) - (now - self._seen_at[partner])

    def _local_breaker(self, partner: str, now: float) -> LocalBreaker:
        standing = self._standings[partner]
        before = self._local.get(partner)
        version = before.version + 1 if before else 1
        if standing.state is State.CLOSED:
            return LocalBreaker(self._policy, version=version)
        open_until = now + max(0.0, self._left(partner, now))
        opens = max(1, standing.consecutive_opens)
        return LocalBreaker(self._policy, State.OPEN, open_until, opens, version)
