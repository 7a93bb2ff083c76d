"""A breaker in one process's memory, with the same policy. It decides while the store is away.

Pure: the clock (seconds, monotonic) and the jitter are passed in.
"""

import math
from collections import deque
from dataclasses import dataclass, field, replace

from guard.models import Tally
from guard.policy import BreakerPolicy, Outcome, State, next_in_a_row, next_open_s, should_trip

BUCKETS = 10


@dataclass(slots=True)
class LocalBreaker:
    """One partner's breaker. `opens` counts how often in a row it has opened.

    If it opens, it keeps the counts that opened it: they are still to be told to the shared breaker.
    """

    policy: BreakerPolicy
    state: State = State.CLOSED
    open_until: float = 0.0
    opens: int = 0
    version: int = 1
    _lease_until: float | None = None
    _successes: int = 0
    _last_row: Tally = field(default_factory=lambda: Tally(0))
    _window: deque[tuple[float, Tally]] = field(default_factory=lambda: deque(maxlen=BUCKETS + 1))

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

    def record(
        self, version: int, outcome: Outcome, now: float, jitter: float, error: str | None = None
    ) -> None:
        """Count the answer to a call that was let in under `version`. Any other version changes nothing."""
        if version != self.version or self.state is State.OPEN:
            return
        if self.state is State.HALF_OPEN:
            self._settle(outcome, now, jitter)
        elif outcome is not Outcome.IGNORED:
            tally = Tally(0)
            tally.add(outcome, error)
            self.count(tally, now, jitter)

    def count(self, tally: Tally, now: float, jitter: float) -> None:
        """Count answers to calls that a closed breaker let in. If this one is closed, they may open it."""
        width = self.policy.window_s / BUCKETS
        start = now // width * width
        while self._window and self._window[0][0] <= now - self.policy.window_s:
            self._window.popleft()
        if not self._window or self._window[-1][0] != start:
            self._window.append((start, Tally(0)))
        self._window[-1][1].add_all(tally)
        if not next_in_a_row(self._last_row.calls, tally.calls, tally.failures, tally.slow):
            self._last_row = Tally(0)
        else:
            self._last_row.add_all(tally)
        if self.state is not State.CLOSED or not tally.failures + tally.slow:
            return
        if should_trip(self.policy, *self.counts(now), self._last_row.calls):
            self._open(now, jitter)

    def counts(self, now: float) -> tuple[int, int, int]:
        """Calls, failures and slow calls in the window."""
        live = self._counted(now - self.policy.window_s)
        return live.calls, live.failures, live.slow

    def take_counts(self, now: float, version: int) -> list[Tally]:
        """Take out what was counted, for the shared breaker of `version`. A row of failures comes last.

        A closed breaker gives what is in the window. Another one gives what opened it, however long ago.
        """
        counted = self._counted(now - self.policy.window_s if self.state is State.CLOSED else -math.inf)
        last_row = self._last_row
        # A row may be older than the window.
        before = Tally(
            version,
            max(0, counted.calls - last_row.calls),
            max(0, counted.failures - last_row.failures),
            max(0, counted.slow - last_row.slow),
            counted.error,
        )
        self._forget()
        return [tally for tally in (before, replace(last_row, version=version)) if tally.calls]

    def _counted(self, after: float) -> Tally:
        counted = Tally(0)
        for start, tally in self._window:
            if start > after:
                counted.add_all(tally)
        return counted

    def _forget(self) -> None:
        self._window.clear()
        self._last_row = Tally(0)

    def _settle(self, outcome: Outcome, now: float, jitter: float) -> None:
        self.version += 1
        self._lease_until = None
        if outcome in {Outcome.FAILURE, Outcome.SLOW}:
            self._open(now, jitter)
        elif outcome is Outcome.SUCCESS:
            self._successes += 1
            if self._successes >= self.policy.half_open_calls:
                self.opens = 0
                self._forget()
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
