"""The memory of worker and front door over a long run of trips."""

import asyncio
from collections.abc import Sequence
from typing import Any

import psutil

from trials.bench.contest.ground import Ground, Stage, fresh_ground
from trials.bench.contest.load import Load, count
from trials.bench.growth.booking import booking, short_order
from trials.bench.growth.phases import new_load

IN_FLIGHT = 10
MOST_SAMPLES = 500
LOOK_EVERY_S = 0.2
PROCESSES = {"worker": "worker-1", "api": "api"}


async def measured(stop: asyncio.Event, trips: int) -> dict[str, Any]:
    """Samples of the resident memory, and what went `wrong`.

    A sample is the trips confirmed so far, and the kB of worker and front door.
    """
    async with fresh_ground(stop, Stage) as ground:
        load = new_load()
        booked = asyncio.create_task(count(booking(ground, short_order), load, trips, IN_FLIGHT))
        samples = await _sampled(ground, load, booked, max(1, trips // MOST_SAMPLES))
        await booked
    return {"trips": trips, "in_flight": IN_FLIGHT, "samples": samples, "wrong": load.wrong}


async def _sampled(ground: Ground, load: Load, booked: asyncio.Task[None], every: int) -> list[list[int]]:
    pids = [int((ground.stage.run_dir / f"{name}.pid").read_text()) for name in PROCESSES.values()]
    samples: list[list[int]] = []
    while not booked.done():
        if not samples or len(load.trips) >= samples[-1][0] + every:
            samples.append([len(load.trips), *await asyncio.to_thread(_resident_kb, pids)])
        await asyncio.wait([booked], timeout=LOOK_EVERY_S)
    return samples


def _resident_kb(pids: Sequence[int]) -> list[int]:
    return [psutil.Process(pid).memory_info().rss // 1024 for pid in pids]
