"""Three ways to ask for trips: as many as are answered, at a steady rate, and one at a time."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from statistics import fmean
from typing import NamedTuple

import aiohttp
from temporalio.client import WorkflowFailureError
from temporalio.service import RPCError

TRIP_LIMIT_S = 60.0
MOST_UNDER_WAY = 200
SEED = 1
WARM_UP_TRIPS = 20
WARM_UP_IN_FLIGHT = 5

_FAILURES = (aiohttp.ClientError, OSError, TimeoutError, AssertionError, RPCError, WorkflowFailureError)


class Booked(NamedTuple):
    """A trip's id, which is every partner's idempotency key, and how it ended."""

    trip_id: str
    status: str


BookOne = Callable[[], Awaitable[Booked]]


@dataclass
class Load:
    """Latencies of the trips that ended as they had to, and when each ended, by the monotonic clock.

    `wrong` names the others, also those that took longer than `limit_s`.
    """

    ends_as: str = "confirmed"
    trips: list[str] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)
    ended_at: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    limit_s: float = TRIP_LIMIT_S

    async def book(self, book: BookOne, since: float) -> None:
        """Book one trip; its latency counts from `since`, in seconds of the monotonic clock."""
        try:
            async with asyncio.timeout(self.limit_s):
                trip = await book()
        except _FAILURES as error:
            self.wrong.append(f"{type(error).__name__}: {error}")
            return
        if trip.status != self.ends_as:
            self.wrong.append(f"{trip.trip_id} ended {trip.status}")
            return
        now = time.monotonic()
        self.trips.append(trip.trip_id)
        self.latencies_s.append(now - since)
        self.ended_at.append(now)

    def since(self, moment: float) -> list[float]:
        """Latencies of the trips that began since then, or of all if none did. Raises RuntimeError."""
        if not self.trips:
            raise RuntimeError(f"no trip ended {self.ends_as}: {self.wrong[:3]}")
        timed = zip(self.latencies_s, self.ended_at, strict=True)
        return [latency for latency, ended in timed if ended - latency >= moment] or self.latencies_s


async def closed(book: BookOne, load: Load, in_flight: int, seconds: float) -> None:
    """Keep `in_flight` trips under way for `seconds`, then wait for the last of them."""
    until = time.monotonic() + seconds

    async def one_after_another() -> None:
        while (now := time.monotonic()) < until:
            await load.book(book, now)

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(one_after_another())


def throughput(load: Load, in_flight: int, since: float) -> float:
    """Trips a second of a closed loop, by Little's law: trips in flight, divided by the mean latency.

    Unlike a count of trips that end between two moments, it does not depend on when in a trip these moments
    are. Trips that went wrong do not count.
    """
    right = len(load.trips) / (len(load.trips) + len(load.wrong))
    return right * in_flight / fmean(load.since(since))


def _no_longer() -> bool:
    return False


async def at_rate(
    book: BookOne, load: Load, per_s: float, seconds: float, or_while: Callable[[], bool] = _no_longer
) -> None:
    """Trips that come by chance (a Poisson process), `per_s` a second, at the same moments every time.

    They come for `seconds`, and `or_while` that says so. A latency counts from the moment at which the trip
    came, also if it has to wait for its turn.
    """
    rng = random.Random(SEED)
    room = asyncio.Semaphore(MOST_UNDER_WAY)
    start = comes = time.monotonic()

    async def book_one(since: float) -> None:
        async with room:
            await load.book(book, since)

    async with asyncio.TaskGroup() as group:
        while (comes := comes + rng.expovariate(per_s)) < start + seconds or or_while():
            await asyncio.sleep(comes - time.monotonic())
            group.create_task(book_one(comes))


async def count(book: BookOne, load: Load, trips: int, in_flight: int) -> None:
    left = iter(range(trips))

    async def one_after_another() -> None:
        for _ in left:
            await load.book(book, time.monotonic())

    async with asyncio.TaskGroup() as group:
        for _ in range(min(trips, in_flight)):
            group.create_task(one_after_another())
