"""How fast callers that waited for a partner come back to it: as fast as new callers come, and no faster.

Pure: `now` is passed in, in seconds of a monotonic clock.
"""

import math

WINDOW_S = 30.0
MIN_PER_S = 1.0


class Pace:
    """One partner's pace, as one process sees it.

    New callers are never held up. Callers that waited are given places one after another. The places are as
    far apart as new callers are on average. So all together are at most twice as many as in quiet times.
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
        """Take the next free place, and return the seconds until it comes."""
        at = max(now, self._next_place_at)
        self._next_place_at = at + 1 / max(MIN_PER_S, self._decayed(now) / WINDOW_S)
        return at - now

    def _decayed(self, now: float) -> float:
        """New callers, each weighted exp(-age / WINDOW_S). At r a second this tends to r * WINDOW_S."""
        return self._new * math.exp(min(0.0, self._seen_at - now) / WINDOW_S)
