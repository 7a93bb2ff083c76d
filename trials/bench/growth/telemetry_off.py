"""What telemetry costs a trip: the front door's and Temporal's figures, read every few seconds or not at all.

A trip itself writes no telemetry: by default it is made when somebody asks for it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from trials.bench.contest.ground import Ground, Stage, fresh_ground
from trials.bench.growth.phases import Rounds, exchanged

EVERY_S = 5.0
"""Prometheus asks every minute unless it is told otherwise, and every fifteen seconds in its own example."""

ON, OFF = f"scraped every {EVERY_S:g} s", "not scraped"


class _Scrapers:
    """Those of the systems that are scraped just now, by the address of the front door."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def switch(self, ground: Ground, is_in: bool) -> None:
        """Begin to scrape a system, or end it. Raises what ended its scraper early."""
        if task := self._tasks.pop(ground.api, None):
            await _ended(task)
        if is_in:
            self._tasks[ground.api] = asyncio.create_task(_scrape(ground))

    async def end(self) -> None:
        """Scrape none any more. Raises what ended a scraper early."""
        for task in self._tasks.values():
            await _ended(task)


async def _ended(task: asyncio.Task[None]) -> None:
    """End a scraper. Raises what ended it before, for then it was not there to be measured."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


async def measured(stop: asyncio.Event, plan: Rounds) -> dict[str, Any]:
    """`phases` with and without, round by round, and what went `wrong`."""
    async with (
        fresh_ground(stop, Stage) as one,
        fresh_ground(stop, Stage) as other,
        _scrapers() as scrapers,
    ):
        return await exchanged((one, other), (ON, OFF), plan, scrapers.switch)


@contextlib.asynccontextmanager
async def _scrapers() -> AsyncIterator[_Scrapers]:
    scrapers = _Scrapers()
    try:
        yield scrapers
    finally:
        await scrapers.end()


async def _scrape(ground: Ground) -> None:
    while True:
        for url in (f"{ground.api}/metrics", ground.temporal_metrics):
            async with ground.http.get(url) as answer:
                answer.raise_for_status()
                await answer.read()
        await asyncio.sleep(EVERY_S)
