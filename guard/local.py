"""A breaker in one process's memory, with the same policy. It decides while the store is away.

Pure: the clock (seconds, monotonic) and the jitter are passed in.
"""

from collections import deque
from dataclasses import dataclass, field

from guard.policy import BreakerPolicy, Outcome, State, next_in_a_row, next_open_s, should_trip

BUCKETS = 10


@dataclass(slots=True)
class _Bucket:
    start: float
    calls: int = 0
    failures: int = 0
    slow: int = 0


@dataclass(slots=True)
class LocalBreaker:
    """One partner's breaker. `opens` counts how often in a row it has opened."""

    policy: BreakerPolicy
    state: State = State.CLOSED
    open_until: float = 0.0
    opens: int = 0
    version: int = 1
    _lease_until: float | None = None
    _successes: int = 0
    _in_a_row: int = 0
    _window: deque[_Bucket] = field(default_factory=lambda: deque(maxlen=BUCKETS + 1))

    def refused_for(self, now: float) -> float:
        """Seconds until asking again may help, 0 if a call is let in."""
        if self.state is State.OPEN:
            return max(0.0, self.open_until - now)
        if self.state is State.HALF_OPEN and self._lease_until is not None:
            return max(0.0, self._lease_until - now)
        return 0.0

    def admit(self, now: float) -> tuple[int, bool] | None:
        """The version for the answer, and whether the call is the probe. None if the call is kept out."""
        if self.refused_for(now) > 0:
            return None
        if self.state is State.CLOSED:
            return self.version, False
        if self.state is State.OPEN:
            self._move(State.HALF_OPEN)
        self.version += 1
        self._lease_until = now + self.policy.probe_lease_s
        return self.version, True

    def record(self, version: int, outcome: Outcome, now: float, jitter: float) -> None:
        """Count the answer to a call that was let in under `version`. Any other version changes nothing."""
        if version != self.version or self.state is State.OPEN:
            return
        if self.state is State.HALF_OPEN:
            self._settle(outcome, now, jitter)
        elif outcome is not Outcome.IGNORED:
            self._count(outcome, now)
            if outcome is not Outcome.SUCCESS and should_trip(self.policy, *self.counts(now), self._in_a_row):
                self._open(now, jitter)

    def counts(self, now: float) -> tuple[int, int, int]:
        """Calls, failures and slow calls in the window."""
        live = [bucket for bucket in self._window if bucket.start > now - self.policy.window_s]
        return (
            sum(bucket.calls for bucket in live),
            sum(bucket.failures for bucket in live),
            sum(bucket.slow for bucket in live),
        )

    def _count(self, outcome: Outcome, now: float) -> None:
        width = self.policy.window_s / BUCKETS
        start = now // width * width
        if not self._window or self._window[-1].start != start:
            self._window.append(_Bucket(start))
        bucket = self._window[-1]
        bucket.calls += 1
        failed, slow = outcome is Outcome.FAILURE, outcome is Outcome.SLOW
        bucket.failures += failed
        bucket.slow += slow
        self._in_a_row = next_in_a_row(self._in_a_row, 1, failed, slow)

    def _settle(self, outcome: Outcome, now: float, jitter: float) -> None:
        self.version += 1
        self._lease_until = None
        if outcome in {Outcome.FAILURE, Outcome.SLOW}:
            self._open(now, jitter)
        elif outcome is Outcome.SUCCESS:
            self._successes += 1
            if self._successes >= self.policy.half_open_calls:
                self.opens = 0
                self._window.clear()
                self._move(State.CLOSED)

    def _open(self, now: float, jitter: float) -> None:
        self.opens += 1
        self.open_until = now + next_open_s(self.policy, self.opens, jitter)
        self._move(State.OPEN)

    def _move(self, state: State) -> None:
        self.state = state
        self.version += 1
        self._lease_until = None
        self._successes = 0
        self._in_a_row = 0
