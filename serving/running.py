"""Time limits by the time that this process runs.

A process that is stopped (SIGSTOP, a frozen container, a paused machine), or whose loop is held up, sees no
answer until it runs again. The time until then is no one's: it neither ends a call nor makes it slow.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Callable
from typing import Self

TICK_S = 0.25
LATE_S = 0.25
"""A loop that wakes up so much later than asked was held up."""


class RunningTime:
    """While its context is open, counts the seconds that the loop runs, and calls `at_limit` after `limit_s`.

    After a stop it gives the loop one more tick first, to read what has arrived meanwhile.
    """

    def __init__(self, limit_s: float = math.inf, at_limit: Callable[[], None] = lambda: None) -> None:
        self._limit_s = limit_s
        self._at_limit = at_limit
        self._ran_s = 0.0

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._wait(self._limit_s)
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    @property
    def seconds(self) -> float:
        """How long the loop has run since the context was entered."""
        return self._ran_s + min(time.monotonic() - self._since, self._tick_s + LATE_S)

    def _wait(self, left_s: float) -> None:
        self._tick_s = min(TICK_S, left_s) if left_s > 0 else TICK_S
        self._since = time.monotonic()
        self._timer = self._loop.call_later(self._tick_s, self._tick)

    def _tick(self) -> None:
        passed_s = time.monotonic() - self._since
        was_held_up = passed_s > self._tick_s + LATE_S
        self._ran_s += self._tick_s if was_held_up else passed_s
        left_s = self._limit_s - self._ran_s
        if left_s <= 0 and not was_held_up:
            self._at_limit()
        else:
            self._wait(left_s)


@contextlib.asynccontextmanager
async def time_limit(seconds: float) -> AsyncIterator[None]:
    """As asyncio.timeout, by the time that the loop runs. Raises TimeoutError."""
    async with asyncio.timeout(None) as scope:
        with RunningTime(seconds, lambda: scope.reschedule(0)):
            yield
