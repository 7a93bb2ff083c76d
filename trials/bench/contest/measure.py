"""One turn of one contestant: at saturation, one trip at a time, and at two shares of saturation."""

import os
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass

from trials import cpu
from trials.bench.contest import server
from trials.bench.contest.contestants import Arena, Contestant
from trials.load import Booked, BookOne, Load, at_rate, closed, count, throughput
from trials.orders import bench_order
from trials.statistics import Figures, percentiles

WARM_S = 1.0
SHARES = {"low": 0.3, "high": 0.8}


@dataclass(frozen=True)
class Turn:
    arena: Arena
    contestant: Contestant
    seconds: float

    def booking(self, card_token: str = "tok_visa") -> BookOne:  # noqa: S107 - the sample data's card

        async def book() -> Booked:
            return await self.contestant.book(self.arena, bench_order(card_token=card_token))

        return book

    async def metered(self, load: Load, work: Awaitable[None]) -> Figures:
        """What `work`, which fills `load`, cost a trip: CPU, and on Temporal the server's own counters."""
        ground = self.arena.ground
        before = await server.counters(ground)
        figures = await cpu.metered(ground.world, self.contestant.processes, load, work)
        after = await server.counters(ground)
        if self.contestant.is_on_temporal:
            trips = max(1, len(load.trips))
            figures["actions"] = (after.actions - before.actions) / trips
            figures["server_calls"] = (after.calls - before.calls) / trips
        return figures


async def in_flight_for(turn: Turn, ladder: Sequence[int]) -> int:
    """The number of trips in flight with which most trips a second are booked.

    The ladder is climbed up and down, so that a machine that gets slower or faster favours no number.
    """
    rates = dict.fromkeys(ladder, 0.0)
    for in_flight in (*ladder, *reversed(ladder)):
        rates[in_flight] += await rate(turn, Load(), in_flight)
    return max(ladder, key=rates.__getitem__)


async def measured(turn: Turn, in_flight: int) -> tuple[Figures, list[str]]:
    load, alone = Load(), Load()
    figures = await saturated(turn, load, in_flight)
    await closed(turn.booking(), alone, 1, turn.seconds / 2)
    figures |= latencies("alone", alone)
    wrong = load.wrong + alone.wrong
    for name, share in SHARES.items():
        load = Load()
        await at_rate(turn.booking(), load, share * figures["trips_per_s"], turn.seconds)
        figures |= latencies(name, load)
        wrong += load.wrong
    return figures, wrong


async def saturated(turn: Turn, load: Load, in_flight: int) -> Figures:
    """Trips a second, and what each cost; fills `load`. Raises RuntimeError if no trip ends as it has to."""
    figures: Figures = {"in_flight": in_flight}

    async def saturate() -> None:
        figures["trips_per_s"] = await rate(turn, load, in_flight)

    figures |= await turn.metered(load, saturate())
    if turn.contestant.processes:
        figures["allowed_per_s"] = 1000 * (os.cpu_count() or 1) / figures["cpu_ms_own"]
    if turn.contestant.is_on_temporal:
        figures |= await server.histories(turn.arena.ground, load.trips)
    return figures


async def counted(turn: Turn, load: Load, book: BookOne, trips: int, in_flight: int) -> Figures:
    return await turn.metered(load, count(book, load, trips, in_flight)) | latencies("all", load)


async def rate(turn: Turn, load: Load, in_flight: int) -> float:
    """Trips a second, warm-up left out; fills `load`. Raises RuntimeError if no trip ends as it has to."""
    warm = time.monotonic() + WARM_S
    await closed(turn.booking(), load, in_flight, WARM_S + turn.seconds)
    return throughput(load, in_flight, warm)


def latencies(name: str, load: Load) -> Figures:
    return percentiles(name, load.latencies_s, "ms", 1000) | {f"{name}_trips": len(load.trips)}
