"""A tenant with a long backlog and all streams that it can get, and its neighbour with a few trips.

Temporal stands still until the backlog is there. So none of it has started when Temporal goes on, and the
neighbour books.
"""

import asyncio
import contextlib
import itertools
import signal
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime

import aiohttp
from temporalio.service import RPCError

from api.tokens import store as tokens
from api.tokens.caller import Caller, Scope
from record.pool import Pool, open_pool
from serving.files import raise_file_limit
from trials.orders import bench_order
from trials.polling import until
from trials.report import Results
from trials.statistics import Figures
from trials.traveller import Traveller
from trials.world import CALL_LIMIT, QUIET, Ground, World, fresh_ground
from trip.order import MAX_DEADLINE_S

AT_ONCE = 50
EVERY_S = 0.5
"""Between two trips of the neighbour."""

START_LIMIT_S = 60.0
_OWED = "select count(*) from trips where tenant = $1 and started_at is null"


async def measure(backlog: int, trips: int) -> Results:
    """For each trip of the neighbour, what it waited for; and what the large tenant had meanwhile."""
    raise_file_limit()
    async with (
        fresh_ground(QUIET) as ground,
        open_pool(ground.world.database_url, size=2) as pool,
        _tenant(ground.world, pool, "large") as large,
        _tenant(ground.world, pool, "small") as small,
        contextlib.AsyncExitStack() as streams,
    ):
        await ground.traveller.warm_up()
        ground.world.signal("temporal", signal.SIGSTOP)
        try:
            owed = await _book(large, backlog)
            open_streams = await _open_all(large, itertools.cycle(owed), streams)
        finally:
            ground.world.signal("temporal", signal.SIGCONT)
        waits = []
        for _ in range(trips):
            waits.append(await _wait(ground, small) | {"owed": float(await pool.fetchval(_OWED, "large"))})
            await asyncio.sleep(EVERY_S)
    return {"waits": waits, "backlog": len(owed), "streams": open_streams}


@contextlib.asynccontextmanager
async def _tenant(world: World, pool: Pool, name: str) -> AsyncIterator[Traveller]:
    token = await tokens.make(pool, Caller(name, frozenset({Scope.TRAVELLER}), name))
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=CALL_LIMIT) as http:
        yield Traveller(http, world.api, world.partners, token)


def _patient() -> dict[str, object]:
    return bench_order(deadline_s=MAX_DEADLINE_S)


async def _book(large: Traveller, trips: int) -> list[str]:
    """The ids of so many trips."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one() -> str:
        async with room:
            return str((await large.book(_patient()))["trip_id"])

    return list(await asyncio.gather(*(one() for _ in range(trips))))


async def _open_all(large: Traveller, trips: Iterator[str], streams: contextlib.AsyncExitStack) -> int:
    """Open streams until one is refused; they stay open as long as `streams`. Returns how many are open."""

    async def is_open(trip_id: str) -> bool:
        answer = await streams.enter_async_context(large.stream(trip_id))
        if answer.status == 200:
            return True
        refusal = await answer.json(content_type=None)
        assert refusal["code"] == "too_many_streams", refusal
        return False

    number, are_open = 0, [True]
    while all(are_open):
        batch = itertools.islice(trips, AT_ONCE)
        are_open = await asyncio.gather(*(is_open(trip_id) for trip_id in batch))
        number += sum(are_open)
    return number


async def _wait(ground: Ground, small: Traveller) -> Figures:
    """Book a trip. Seconds until its answer, its stream's first event, its start, its first hold."""
    began = time.monotonic()
    trip = await small.book(_patient())
    answered = time.monotonic()
    stream = held = None
    async with contextlib.aclosing(small.events(trip["trip_id"])) as events:
        async for event in events:
            stream = stream or time.monotonic()
            if any(step["status"] != "pending" for step in event.trip["steps"]):
                held = time.monotonic()
                break
    assert stream and held
    return {
        "answered_s": answered - began,
        "stream_s": stream - answered,
        "started_s": await _started_s(ground, trip),
        "held_s": held - answered,
    }


async def _started_s(ground: Ground, trip: dict[str, object]) -> float:
    """From the trip's acceptance to its workflow's start."""
    workflow = ground.temporal.get_workflow_handle(str(trip["trip_id"]))

    async def start() -> datetime | None:
        with contextlib.suppress(RPCError):
            return (await workflow.describe()).start_time
        return None

    started = await until(start, START_LIMIT_S)
    assert started is not None
    return (started - datetime.fromisoformat(str(trip["created_at"]))).total_seconds()
