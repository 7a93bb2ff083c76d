"""A running system of its own for a measurement, and what its partners say of the calls they got."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from tests.conftest import RunningSystem, running_system
from tests.traveller import FINAL, Json, Traveller, bench_order

CALL_TIMEOUT = aiohttp.ClientTimeout(total=70)
LOOK_EVERY_S = 0.2
WARM_UP_TRIPS = 5

UNHURRIED = {"TRIPS_PROBE_INTERVAL_S": "3600"}
"""No health check comes between."""


class Call(NamedTuple):
    """A call that a partner received, `at` in seconds since 1970."""

    at: float
    verb: str
    key: str


@contextlib.contextmanager
def fresh_system(environment: Mapping[str, str]) -> Iterator[RunningSystem]:
    """A system in a temporary place with `environment` on top of the defaults."""
    with (
        tempfile.TemporaryDirectory(prefix="trips-bench-", ignore_cleanup_errors=True) as place,
        running_system(Path(place) / "data", environment) as started,
    ):
        yield started


@contextlib.asynccontextmanager
async def caller(system: RunningSystem) -> AsyncIterator[Traveller]:
    """Calls to the system, whose connections and caches are warm."""
    async with aiohttp.ClientSession(timeout=CALL_TIMEOUT) as http:
        traveller = system.traveller(http)
        for _ in range(WARM_UP_TRIPS):
            await traveller.book(bench_order(), wait=30)
        yield traveller


def small_order(part: str, **changes: Any) -> Json:
    """A trip of one part, `hotel`, `tour` or `flight`, and its payment."""
    others: dict[str, Any] = {name: None for name in ("hotel", "tour", "flight", "points") if name != part}
    return bench_order(**others, **changes)


async def calls_of(traveller: Traveller, partner: str) -> list[Call]:
    """Every call that the partner has received, oldest first."""
    page = await traveller.read(partner, "/lab/calls?limit=100000")
    return [Call(_seconds(call["at"]), call["verb"], call["key"]) for call in page["items"]]


async def opened_at(traveller: Traveller, partner: str) -> list[float]:
    """When the partner's breaker opened, in seconds since 1970, by the database's clock."""
    _, page = await traveller.call("GET", f"/breakers/{partner}/events?limit=500")
    return sorted(_seconds(event["at"]) for event in page["items"] if event["to_state"] == "open")


async def all_ended(traveller: Traveller, trips: list[str], limit_s: float) -> list[Json]:
    """The trips, once all of them have a final status. Raises TimeoutError."""
    ended: list[Json] = []

    async def all_final() -> bool:
        while len(ended) < len(trips):
            trip = await traveller.trip(trips[len(ended)])
            if trip["status"] not in FINAL:
                return False
            ended.append(trip)
        return True

    await eventually(all_final, limit_s)
    return ended


async def eventually(condition: Callable[[], Awaitable[bool]], limit_s: float) -> None:
    """Look at the condition until it holds. Raises TimeoutError."""
    async with asyncio.timeout(limit_s):
        while not await condition():  # noqa: ASYNC110 - another process tells of no event
            await asyncio.sleep(LOOK_EVERY_S)


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
