"""`python -m trials.bench.size.listeners URL NUMBER`: so many connections that hear of changed trips.

And how many saves a second there are meanwhile, told of as workers tell of them.
"""

import asyncio
import contextlib
import sys
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from record import trips
from record.notices import CHANNEL, Notices
from record.pool import Pool, open_pool
from record.trips import Request
from stack.system import ROOT
from trials.filling import TENANT
from trials.orders import bench_order
from trip.order import TripOrder
from trip.trip import Booking, Links, Trip, new_trip

WRITERS = 10
READY = b"ready\n"
CONNECT_LIMIT_S = 60.0
Rates = dict[str, list[float]]
NONE, ALL = "none", "all"


@dataclass
class Written:
    """A trip that is saved again and again."""

    trip: Trip
    version: int = 0

    async def save(self, pool: Pool) -> None:
        self.version += 1
        await trips.save(pool, self.trip, self.version)


async def rates(database_url: str, listeners: int, rounds: int, seconds: float) -> Rates:
    """Saves a second of each round, with no listener and with all of them in turn."""
    found: Rates = {NONE: [], ALL: []}
    async with open_pool(database_url, WRITERS + 1) as pool:
        written = [await accepted(pool) for _ in range(WRITERS)]
        await _saves_per_s(pool, written, seconds)
        for number in range(rounds):
            for name in sorted(found, reverse=number % 2 == 0):  # neither always comes first
                async with _listening(database_url, listeners if name == ALL else 0):
                    found[name].append(await _saves_per_s(pool, written, seconds))
            print(", ".join(f"{name} {one[-1]:.0f}" for name, one in found.items()), flush=True)
    return found


async def accepted(pool: Pool) -> Written:
    """A new trip."""
    order = TripOrder.model_validate(bench_order())

    def booked_at(now: datetime) -> Booking:
        links = Links(self_="/", events="/events", temporal_ui=None)
        return Booking(trip_id=str(uuid.uuid4()), tenant=TENANT, order=order, accepted_at=now, links=links)

    booking = await trips.accept(pool, Request(booked_at, TENANT, None, b""))
    assert isinstance(booking, Booking), "a trip without a key is new"
    return Written(new_trip(booking))


async def _saves_per_s(pool: Pool, written: list[Written], seconds: float) -> float:
    start, saved = time.monotonic(), 0
    notices = Notices(pool)

    async def save_on(one: Written) -> None:
        nonlocal saved
        while time.monotonic() < start + seconds:
            await one.save(pool)
            notices.tell(one.trip.trip_id, one.trip.status)
            saved += 1

    async with notices.telling(), asyncio.TaskGroup() as group:
        for one in written:
            group.create_task(save_on(one))
    return saved / (time.monotonic() - start)


@contextlib.asynccontextmanager
async def _listening(database_url: str, number: int) -> AsyncIterator[None]:
    """So many listeners, in a process of their own, as front doors have theirs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "trials.bench.size.listeners", database_url, str(number)),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(CONNECT_LIMIT_S):
            assert await process.stdout.readline() == READY, "the listeners do not connect"
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def listen(database_url: str, number: int) -> None:
    """Listen until the end of the standard input."""
    for _ in range(number):
        connection = await asyncpg.connect(database_url, timeout=CONNECT_LIMIT_S)
        await connection.add_listener(CHANNEL, lambda *_: None)
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(listen(sys.argv[1], int(sys.argv[2])))
