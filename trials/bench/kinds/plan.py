"""How long each part measures, and the two kinds."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from trials.bench.contest.contestants import (
    CHOREOGRAPHED,
    CONTESTANTS,
    ORCHESTRATED,
    SETTINGS,
    Arena,
    Contestant,
)
from trials.load import WARM_UP_IN_FLIGHT, WARM_UP_TRIPS, Load, count
from trials.orders import bench_order
from trials.world import fresh_ground
from trip.partner import Partner

KINDS: Mapping[str, Contestant] = {
    one.name: one for one in CONTESTANTS if one.name in (ORCHESTRATED, CHOREOGRAPHED)
}
COORDINATION = {ORCHESTRATED: "orchestration", CHOREOGRAPHED: "choreography"}


@dataclass(frozen=True)
class Plan:
    """A phase lasts `seconds`. `counted` trips are counted one after another. `per_s` trips come while
    something is killed, for `killed_s` seconds.
    """

    rounds: int = 5
    seconds: float = 4.0
    in_flight: int = 60
    counted: int = 40
    failing_rounds: int = 2
    killed_rounds: int = 2
    per_s: float = 8.0
    killed_s: float = 2.0
    kill: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            ORCHESTRATED: ("temporal", "worker-1", "api", "postgres", "hotel", "mongo"),
            CHOREOGRAPHED: ("nats", "trips", "api", "postgres", "hotel", "mongo"),
        }
    )


QUICK = Plan(
    rounds=1,
    seconds=1.5,
    in_flight=10,
    counted=6,
    failing_rounds=1,
    killed_rounds=1,
    killed_s=1.0,
    kill={ORCHESTRATED: ("worker-1",), CHOREOGRAPHED: ("nats", "trips")},
)


@contextlib.asynccontextmanager
async def both() -> AsyncIterator[Arena]:
    """A system on which both kinds have booked some trips. No breaker of it opens by itself."""
    async with fresh_ground(SETTINGS) as ground:
        for partner in Partner:
            await ground.traveller.override_breaker(partner.value, "closed")
        arena = Arena(ground, {})
        for kind in KINDS.values():

            async def book(kind: Contestant = kind) -> object:
                return await kind.book(arena, bench_order())

            await count(book, Load(), WARM_UP_TRIPS, WARM_UP_IN_FLIGHT)  # type: ignore[arg-type]
        yield arena
