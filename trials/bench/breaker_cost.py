"""What a closed breaker costs a call, beside a bare dict lookup in the same run. Needs no store.

Run as `python -m trials.bench.breaker_cost`; prints microseconds a call, the best of several rounds.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from guard.policy import BreakerPolicy, Outcome
from guard.view import Breakers

CALLS = 200_000
ROUNDS = 5
PARTNER = "hotel"


def best_us(run: Callable[[int], None]) -> float:
    """Microseconds a call of the fastest of `ROUNDS` runs of `CALLS` calls."""
    return min(_seconds(run) for _ in range(ROUNDS)) / CALLS * 1e6


async def best_async_us(run: Callable[[int], Awaitable[None]]) -> float:
    """The same for a coroutine function."""
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        await run(CALLS)
        seconds.append(time.perf_counter() - start)
    return min(seconds) / CALLS * 1e6


def _seconds(run: Callable[[int], None]) -> float:
    start = time.perf_counter()
    run(CALLS)
    return time.perf_counter() - start


async def main() -> None:
    """Measure and print."""
    breakers = Breakers("postgresql://", BreakerPolicy(), [PARTNER])
    bare = {PARTNER: object()}

    def lookup(calls: int) -> None:
        for _ in range(calls):
            bare.get(PARTNER)

    def admitted(calls: int) -> None:
        for _ in range(calls):
            breakers.admitted(PARTNER)

    async def admit(calls: int) -> None:
        for _ in range(calls):
            await breakers.admit(PARTNER)

    async def admit_and_record(calls: int) -> None:
        for _ in range(calls):
            await breakers.record(await breakers.admit(PARTNER), Outcome.SUCCESS, 0.01)

    print(f"{'bare dict lookup':32} {best_us(lookup):6.3f} µs")
    print(f"{'admitted()':32} {best_us(admitted):6.3f} µs")
    print(f"{'await admit()':32} {await best_async_us(admit):6.3f} µs")
    print(f"{'await admit(), await record()':32} {await best_async_us(admit_and_record):6.3f} µs")


if __name__ == "__main__":
    asyncio.run(main())
