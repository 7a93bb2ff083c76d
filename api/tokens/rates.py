"""Limits on requests: a token bucket for each key, kept as the time at which it is full again."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

MAX_KEYS = 10_000

_MINUTE_NS = 60_000_000_000


class Rates:
    """Allows each key `per_minute` requests at once, and as many over each minute from then on.

    The generic cell rate algorithm (ITU-T I.371) needs one number a key. The MAX_KEYS keys that came last
    are remembered. A key that is forgotten may use its whole minute again.
    """

    def __init__(self, per_minute: int, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._each_ns = _MINUTE_NS // per_minute
        self._clock = clock
        self._full_at: OrderedDict[Hashable, int] = OrderedDict()

    def wait_s(self, key: Hashable) -> float:
        """0 if the request may be made, and count it; else the seconds until one may be."""
        now = self._clock()
        full_at = max(now, self._full_at.get(key, now)) + self._each_ns
        over_ns = full_at - now - _MINUTE_NS
        if over_ns > 0:
            return over_ns / 1e9
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > MAX_KEYS:
            self._full_at.popitem(last=False)
        return 0.0

    def give_back(self, key: Hashable) -> None:
        """Count one request less."""
        if key in self._full_at:
            self._full_at[key] -= self._each_ns
