"""Answers that cost the same however many ask: looked up by one at a time, and remembered for a while."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class OneFlight(Generic[T]):
    """What `look` found, for `fresh_s` seconds after it ended; an error too.

    Whoever asks while a look is under way gets what that look finds. `look` has to bound its own time.
    """

    def __init__(
        self, look: Callable[[], Awaitable[T]], fresh_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._look = look
        self._fresh_s = fresh_s
        self._clock = clock
        self._flight: asyncio.Task[T] | None = None
        self._fresh_until = float("-inf")

    async def get(self) -> T:
        """The answer. Raises what `look` raises."""
        flight = self._flight
        if flight is None or (flight.done() and self._clock() >= self._fresh_until):
            flight = self._flight = asyncio.create_task(self._fly())
            flight.add_done_callback(_seen)
        # A caller that leaves ends no look that others wait for.
        return await asyncio.shield(flight)

    async def _fly(self) -> T:
        try:
            return await self._look()
        finally:
            self._fresh_until = self._clock() + self._fresh_s


def _seen(flight: "asyncio.Task[T]") -> None:
    if not flight.cancelled():
        flight.exception()  # all who asked may have left
