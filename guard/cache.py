"""What one process knows of the breakers: the store's last word, or its own while the store is away.

No I/O. Times are seconds of the process's monotonic clock, passed in.
"""

from collections.abc import Iterable, Sequence

from guard.local import LocalBreaker
from guard.models import Standing
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
        self._local: dict[str, LocalBreaker] | None = None
        for partner in partners:
            self.apply(Standing(partner=partner), 0.0)

    @property
    def is_local(self) -> bool:
        """Whether the store is away, so that the local breakers decide."""
        return self._local is not None

    def standing(self, partner: str) -> Standing:
        """The store's last word on `partner`."""
        return self._standings[partner]

    def apply(self, standing: Standing, now: float) -> None:
        """Take the store's word on one partner."""
        partner = standing.partner
        self._standings[partner] = standing
        self._seen_at[partner] = now
        if standing.override == "closed" or (standing.state is State.CLOSED and not standing.override):
            self.closed[partner] = Permit(partner, standing.version)
        else:
            self.closed.pop(partner, None)

    def replace(self, standings: Iterable[Standing], now: float) -> None:
        """Take the store's word on all partners. It replaces what was decided locally."""
        self._local = None
        known = {standing.partner: standing for standing in standings}
        for partner in self._standings:
            self.apply(known.get(partner, Standing(partner=partner)), now)

    def go_local(self, now: float) -> None:
        """The store is away: let local breakers decide. Each starts from the store's last word."""
        if self._local is None:
            self._local = {partner: self._local_breaker(partner, now) for partner in self._standings}
            for partner, standing in self._standings.items():
                if standing.override != "closed":
                    self.closed.pop(partner, None)

    def refusal(self, partner: str, now: float) -> BreakerOpen | None:
        """Why a call to `partner` would be kept out, or None if it would be let in."""
        standing = self._standings[partner]
        if standing.override is not None:
            kept_out = standing.override == "open"
            return BreakerOpen(partner, OVERRIDE_RECHECK_S, None) if kept_out else None
        if self._local is not None:
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
        if self._local is None:
            return None
        admitted = self._local[partner].admit(now)
        if admitted is None:
            return None
        version, probe = admitted
        return Permit(partner, version, Kind.PROBE if probe else Kind.CALL, local=True)

    def record_locally(self, permit: Permit, outcome: Outcome, now: float, jitter: float) -> None:
        """Count an answer in the local breaker, if the local breaker decides.

        A call that the store's closed breaker let in counts too. The store's probes and calls past the
        breaker do not.
        """
        if self._local is None:
            return
        local = self._local[permit.partner]
        if permit.local:
            local.record(permit.version, outcome, now, jitter)
        elif permit.kind is Kind.CALL and local.state is State.CLOSED:
            local.record(local.version, outcome, now, jitter)

    def _left(self, partner: str, now: float) -> float:
        """Seconds left of the open time or of the probe lease: the store's figure, less the time since."""
        standing = self._standings[partner]
        return max(standing.open_left_s, standing.lease_left_s) - (now - self._seen_at[partner])

    def _local_breaker(self, partner: str, now: float) -> LocalBreaker:
        standing = self._standings[partner]
        if standing.state is State.CLOSED:
            return LocalBreaker(self._policy)
        open_until = now + max(0.0, self._left(partner, now))
        return LocalBreaker(self._policy, State.OPEN, open_until, max(1, standing.consecutive_opens))
