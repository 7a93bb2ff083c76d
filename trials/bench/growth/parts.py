"""The parts of the measurement, each on a fresh system of its own."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

import psutil

from trials import cpu
from trials.bench.growth import burst
from trials.load import WARM_UP_IN_FLIGHT, WARM_UP_TRIPS, Booked, BookOne, Load, closed, count, throughput
from trials.orders import STAYS, Json, bench_order
from trials.report import Results
from trials.statistics import Figures, percentile
from trials.traveller import FINAL
from trials.world import QUIET, Ground, fresh_ground
from trip.order import MAX_DEADLINE_S

WAIT_S = 60
ASK_AGAIN_S = 1.0
TRIP_LIMIT_S = 900.0
WARM_SHARE = 0.25
MEMORY_IN_FLIGHT = 10
PROCESSES = {"worker": "worker-1", "api": "api"}
MOST_SAMPLES = 500
LOOK_EVERY_S = 0.2


@dataclass(frozen=True)
class Plan:
    """`ladder` has the seconds of the phase for each number of trips in flight.

    `trips` is the length of the memory run.
    """

    ladder: tuple[tuple[int, float], ...] = ((1, 10.0), (10, 15.0), (100, 25.0), (1000, 40.0))
    burst: int = 5000
    trips: int = 1000


QUICK = Plan(ladder=((1, 2.0), (10, 2.0)), burst=100, trips=100)


def short_order() -> Json:
    """A trip with one stay only: a long run has more of these in the same time."""
    others: Json = dict.fromkeys(STAYS[:-1])
    return bench_order(**others, deadline_s=MAX_DEADLINE_S)


def booking(ground: Ground, order: Callable[[], Json]) -> BookOne:

    async def book() -> Booked:
        body, key = order(), str(uuid4())
        trip = await ground.traveller.book(body, WAIT_S, key)
        while trip["status"] not in FINAL:
            await asyncio.sleep(ASK_AGAIN_S)
            trip = await ground.traveller.book(body, WAIT_S, key)
        return Booked(trip["trip_id"], trip["status"])

    return book


async def in_flight(plan: Plan) -> Results:
    phases, wrong = {}, []
    async with fresh_ground(QUIET) as ground:
        await count(booking(ground, bench_order), Load(), WARM_UP_TRIPS, WARM_UP_IN_FLIGHT)
        for trips, seconds in plan.ladder:
            load = Load(limit_s=TRIP_LIMIT_S)
            phases[str(trips)] = await _phase(ground, load, trips, seconds)
            wrong += load.wrong
    return {"phases": phases, "wrong": wrong}


async def _phase(ground: Ground, load: Load, trips: int, seconds: float) -> Figures:
    """Latencies are those of the trips after the first quarter. Raises RuntimeError if none is confirmed."""
    since = time.monotonic() + WARM_SHARE * seconds
    work = closed(booking(ground, burst.patient_order), load, trips, seconds)
    figures = await cpu.metered(ground.world, cpu.SAGA, load, work)
    latencies_s = load.since(since)
    return figures | {
        "trips": len(latencies_s),
        "trips_per_s": throughput(load, trips, since),
        "p50_ms": 1000 * percentile(latencies_s, 0.5),
        "p99_ms": 1000 * percentile(latencies_s, 0.99),
    }


async def memory(plan: Plan) -> Results:
    """Samples over a long run: the trips confirmed so far, and the resident kB of each of PROCESSES."""
    samples: list[list[int]] = []
    load, every = Load(limit_s=TRIP_LIMIT_S), max(1, plan.trips // MOST_SAMPLES)
    async with fresh_ground(QUIET) as ground:
        processes = [psutil.Process(ground.world.pid(name)) for name in PROCESSES.values()]
        work = count(booking(ground, short_order), load, plan.trips, MEMORY_IN_FLIGHT)
        booked = asyncio.create_task(work)
        while not booked.done():
            if not samples or len(load.trips) >= samples[-1][0] + every:
                samples.append([len(load.trips), *(one.memory_info().rss // 1024 for one in processes)])
            await asyncio.wait([booked], timeout=LOOK_EVERY_S)
        await booked
    return {"trips": plan.trips, "in_flight": MEMORY_IN_FLIGHT, "samples": samples, "wrong": load.wrong}


async def all_at_once(plan: Plan) -> Results:
    async with fresh_ground(QUIET) as ground:
        return await burst.measured(ground, plan.burst)
