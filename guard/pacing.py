"""How fast those who waited for a partner come back to it: no faster than new callers come.

Pure: `now` is passed in, in seconds of a monotonic clock.
"""

import math

WINDOW_S = 30.0
MIN_PER_S = 1.0


class Pace:
    """One partner's, as one process sees it.

    New callers are never held up. Those who waited are given places one after another, as far apart as new
    callers are on average, so that both together are at most twice as many as in quiet times.
    """

    def __init__(self) -> None:
        self._new = 0.0
        self._seen_at = 0.0
        self._next_place_at = -math.inf

    def record_new(self, now: float) -> None:
        """Count a new caller."""
        self._new = self._decayed(now) + 1
        self._seen_at = max(now, self._seen_at)

    def place_in(self, now: float) -> float:
        """Seconds until the place that this caller is given; it is then taken."""
        at = max(now, self._next_place_at)
        self._next_place_at = at + 1 / max(MIN_PER_S, self._decayed(now) / WINDOW_S)
        return at - now

    def _decayed(self, now: float) -> float:
        """New callers, each worth exp(-age / WINDOW_S): of r a second, r * WINDOW_S in the long run."""
        return self._new * math.exp(min(0.0, self._seen_at - now) / WINDOW_S)
