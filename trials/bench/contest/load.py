"""Three ways to ask for trips: as many as are answered, at a steady rate, and one at a time."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from statistics import fmean

import aiohttp
from temporalio.client import WorkflowFailureError
from temporalio.service import RPCError

from trials.bench.contest.calls import Refused, Unanswered
from trials.bench.contest.contestants import Booked

TRIP_LIMIT_S = 60.0
MOST_UNDER_WAY = 200
SEED = 1

BookOne = Callable[[], Awaitable[Booked]]

_FAILURES = (
    aiohttp.ClientError,
    OSError,
    TimeoutError,
    RuntimeError,
    RPCError,
    WorkflowFailureError,
    Refused,
    Unanswered,
)


@dataclass
class Load:
    """What came of it: latencies in seconds of the trips that ended as they had to, and when each ended.

    `wrong` says what was the matter with the others, those among them that took longer than `limit_s`.
    """

    ends_as: str
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
    """Trips a second of a closed loop, by Little's law: what is under way is the rate times the mean latency.

    Unlike a count of what ends between two moments it does not depend on where in a trip these fall. Trips
    that began before `since` are left out where there are others, and those that went wrong do not count.
    """
    timed = zip(load.latencies_s, load.ended_at, strict=True)
    latencies_s = [latency for latency, ended in timed if ended - latency >= since] or load.latencies_s
    right = len(load.trips) / (len(load.trips) + len(load.wrong))
    return right * in_flight / fmean(latencies_s)


async def at_rate(book: BookOne, load: Load, per_s: float, seconds: float) -> None:
    """Trips that come by chance, `per_s` a second on average, the same moments every time.

    A latency counts from the moment at which its trip came, also where MOST_UNDER_WAY others let it wait.
    """
    rng = random.Random(SEED)
    room = asyncio.Semaphore(MOST_UNDER_WAY)
    start = comes = time.monotonic()

    async def book_one(since: float) -> None:
        async with room:
            await load.book(book, since)

    async with asyncio.TaskGroup() as group:
        while (comes := comes + rng.expovariate(per_s)) < start + seconds:
            await asyncio.sleep(comes - time.monotonic())
            group.create_task(book_one(comes))


async def count(book: BookOne, load: Load, trips: int, in_flight: int) -> None:
    """`trips` in all, `in_flight` of them at once."""
    left = iter(range(trips))

    async def one_after_another() -> None:
        for _ in left:
            await load.book(book, time.monotonic())

    async with asyncio.TaskGroup() as group:
        for _ in range(min(trips, in_flight)):
            group.create_task(one_after_another())
