"""One turn of one contestant: at saturation, one trip at a time, and at two shares of saturation."""

import asyncio
import os
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from trials.bench.contest import cpu, server
from trials.bench.contest.contestants import Booked, Contestant
from trials.bench.contest.figures import Figures, percentile
from trials.bench.contest.ground import Ground
from trials.bench.contest.load import BookOne, Load, at_rate, closed, count, throughput
from trials.bench.contest.orders import bench_order

WARM_S = 1.0
ENOUGH = 0.95
"""A load that gives this share of the most trips a second counts as saturation."""
SHARES = {"low": 0.3, "high": 0.8}
OWN = (cpu.TEMPORAL, cpu.WORKER, cpu.API)


@dataclass(frozen=True)
class Turn:
    """A contestant on the ground, and for how long each phase of its turn lasts."""

    ground: Ground
    contestant: Contestant
    seconds: float

    def booking(self, card_token: str = "tok_visa") -> BookOne:  # noqa: S107 - the sample data's card
        """Books one trip of the sample data."""

        async def book() -> Booked:
            return await self.contestant.book(self.ground, bench_order(card_token))

        return book


async def in_flight_for(turn: Turn, ladder: Sequence[int]) -> int:
    """The fewest trips in flight that give about as many trips a second as any number of the ladder."""
    rates = {}
    for in_flight in ladder:
        load = Load("confirmed")
        rates[in_flight] = await _rate(turn, load, in_flight)
    return next(number for number in ladder if rates[number] >= ENOUGH * max(rates.values()))


async def measured(turn: Turn, in_flight: int) -> tuple[Figures, list[str]]:
    """The figures of one turn, and what was the matter with trips that went wrong."""
    load = Load("confirmed")
    figures = await _saturated(turn, load, in_flight)
    per_s, wrong = figures["trips_per_s"], load.wrong
    alone = Load("confirmed")
    await closed(turn.booking(), alone, 1, turn.seconds / 2)
    figures |= latencies("alone", alone)
    for name, share in SHARES.items():
        load = Load("confirmed")
        await at_rate(turn.booking(), load, share * per_s, turn.seconds)
        figures |= latencies(name, load)
        wrong = wrong + load.wrong
    return figures, wrong + alone.wrong


async def _saturated(turn: Turn, load: Load, in_flight: int) -> Figures:
    figures: Figures = {"in_flight": in_flight}

    async def saturate() -> None:
        figures["trips_per_s"] = await _rate(turn, load, in_flight)

    figures |= await metered(turn, load, saturate())
    if turn.contestant.processes:
        figures["allowed_per_s"] = 1000 * (os.cpu_count() or 1) / figures["cpu_ms_own"]
    if turn.contestant.is_on_temporal:
        figures |= await server.histories(turn.ground, load.trips)
    return figures


async def counted(turn: Turn, load: Load, book: BookOne, trips: int, in_flight: int) -> Figures:
    """The figures of a set number of trips."""
    return await metered(turn, load, count(book, load, trips, in_flight)) | latencies("all", load)


async def metered(turn: Turn, load: Load, work: Awaitable[None]) -> Figures:
    """What `work` cost a trip of `load`, which it fills: CPU, and on Temporal the server's own counters."""
    counted_before = await server.counters(turn.ground)
    figures = await cpu_metered(turn, load, work)
    counted_after = await server.counters(turn.ground)
    trips = max(1, len(load.trips))
    if turn.contestant.is_on_temporal:
        figures["actions"] = (counted_after.actions - counted_before.actions) / trips
        figures["server_calls"] = (counted_after.calls - counted_before.calls) / trips
    return figures


async def cpu_metered(turn: Turn, load: Load, work: Awaitable[None]) -> Figures:
    """The CPU that `work` cost a trip of `load`, which it fills."""
    before = await _used(turn)
    await work
    spent = cpu.between(before, await _used(turn))
    trips = max(1, len(load.trips))
    figures = {f"cpu_ms_{group}": 1000 * seconds / trips for group, seconds in spent.items()}
    figures["cpu_ms_engine"] = sum(figures[f"cpu_ms_{group}"] for group in OWN)
    figures["cpu_ms_own"] = figures["cpu_ms_engine"] + figures[f"cpu_ms_{cpu.POSTGRES}"]
    return figures


async def _rate(turn: Turn, load: Load, in_flight: int) -> float:
    """Trips a second with `in_flight` under way, warm-up left out; fills `load`.

    Raises RuntimeError where no trip ends as it has to.
    """
    warm = time.monotonic() + WARM_S
    await closed(turn.booking(), load, in_flight, WARM_S + turn.seconds)
    if not load.trips:
        raise RuntimeError(f"{turn.contestant.title}: no trip was confirmed: {load.wrong[:3]}")
    return throughput(load, in_flight, warm)


async def _used(turn: Turn) -> cpu.Used:
    run_dir = turn.ground.data_dir / "run"
    return await asyncio.to_thread(cpu.used, run_dir, turn.contestant.processes)


def latencies(name: str, load: Load) -> Figures:
    """`name_p50_ms`, `_p99_ms`, `_max_ms` and `_trips` of the load; none where no trip ended as it had to."""
    if not load.latencies_s:
        return {}
    milliseconds = [1000 * seconds for seconds in load.latencies_s]
    shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {f"{name}_{label}_ms": percentile(milliseconds, share) for label, share in shares.items()} | {
        f"{name}_trips": len(milliseconds)
    }
