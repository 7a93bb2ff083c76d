"""Waits for what other processes do, which send no event: looks again and again, within a bound."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

SHORTEST_S, LONGEST_S = 0.05, 0.5
SHARE = 0.1


async def until(
    condition: Callable[[], Awaitable[T]], within_s: float = 100.0, every_s: float | None = None
) -> T:
    """The first answer of the condition that is true. Raises TimeoutError.

    A look costs the system CPU. If no interval is given, two looks are a tenth of the wait so far apart.
    """
    clock = asyncio.get_running_loop().time
    start = clock()
    async with asyncio.timeout(within_s):
        while True:
            if found := await condition():
                return found
            pause_s = min(max(SHARE * (clock() - start), SHORTEST_S), LONGEST_S)
            await asyncio.sleep(every_s or pause_s)


async def last_look(
    look: Callable[[], Awaitable[T]], is_done: Callable[[T], bool], within_s: float, every_s: float
) -> T:
    """The first look that is done, or else the last one that began within `within_s` seconds."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + within_s
    while not is_done(found := await look()) and clock() < deadline:  # noqa: ASYNC110 - another process
        await asyncio.sleep(every_s)
    return found
