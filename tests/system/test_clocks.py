"""A front door and a worker whose clocks are wrong (Debian's libfaketime), or that stand still."""

import asyncio
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from stack.parts import Part
from tests.faketime import LIBRARY, is_left_out
from tests.patience import PATIENCE_S
from tests.system.test_supervision import eventually
from tests.system.test_trips import steps
from trials.orders import Json, order
from trials.polling import until
from trials.traveller import Traveller
from trials.world import Stage, World, started

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(is_left_out(), reason="there is no libfaketime"),
]

DOOR, WORKER = "api", "worker-1"
ATTENTION_S = 4
SETTINGS = {
    "TRIPS_ATTENTION_S": str(ATTENTION_S),
    "TRIPS_RETRY_BASE_S": "0.1",
    "TRIPS_RETRY_CAP_S": "1",
    "TRIPS_PROBE_INTERVAL_S": "3600",
}
FROZEN_S = 6
TRIPS = 3
ROUNDS = 5


@dataclass(frozen=True)
class Clocks:
    """A system, and the clocks of its front door and worker, which can be set while they run."""

    world: World
    place: Path

    async def set(self, door: str, worker: str) -> None:
        """Set the clocks off by this much, such as `-6m`, and wait until the processes see it."""
        for name, offset in ((DOOR, door), (WORKER, worker)):
            _file(self.place, name).write_text(f"{offset}\n")
        await asyncio.sleep(2 * SEEN_WITHIN_S)


SEEN_WITHIN_S = 1


def _file(place: Path, name: str) -> Path:
    return place / f"{name}.clock"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def clocks() -> AsyncIterator[Clocks]:
    """A system of its own. Only the time of day is false: libfaketime leaves the monotonic clock alone."""
    with tempfile.TemporaryDirectory(prefix="trips-", ignore_cleanup_errors=True) as home:
        place = Path(home)

        def with_a_clock(part: Part) -> Part:
            if part.name not in (DOOR, WORKER):
                return part
            _file(place, part.name).write_text("+0\n")
            faked = {
                "LD_PRELOAD": str(LIBRARY),
                "FAKETIME_TIMESTAMP_FILE": str(_file(place, part.name)),
                "FAKETIME_CACHE_DURATION": str(SEEN_WITHIN_S),
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
            return replace(part, env={**part.env, **faked})

        def arrange(_stage: Stage, parts: list[Part]) -> list[Part]:
            return [with_a_clock(part) for part in parts]

        async with started(SETTINGS, arrange=arrange, home=place) as world:
            yield Clocks(world, place)


@pytest.fixture
def caller(clocks: Clocks, http: aiohttp.ClientSession) -> Traveller:
    """Calls to that system."""
    return clocks.world.traveller(http)


CLOCKS_OFF = pytest.mark.parametrize(("door", "worker"), [("-6m", "+10m"), ("+6m", "-10m")])


@CLOCKS_OFF
async def test_a_deadline_counts_from_the_acceptance_whatever_our_clocks_say(
    clocks: Clocks, caller: Traveller, door: str, worker: str
) -> None:
    await clocks.set(door, worker)
    trip = await caller.book(order(), wait=60)
    assert trip["status"] == "confirmed", trip
    assert abs((datetime.now(UTC) - datetime.fromisoformat(trip["created_at"])).total_seconds()) < PATIENCE_S

    await caller.break_partner("hotel", latency_ms=60_000, verbs=["PUT"])
    began = time.monotonic()
    late = await caller.book(order(deadline_s=3), wait=60)
    took_s = time.monotonic() - began
    await caller.mend_partner("hotel")
    assert (late["status"], late["failure"]["code"]) == ("failed", "deadline_exceeded"), late
    assert took_s > 2.5


@CLOCKS_OFF
async def test_a_step_needs_attention_as_late_as_asked_for_and_no_later(
    clocks: Clocks, caller: Traveller, door: str, worker: str
) -> None:
    """The call is kept out as a local activity first, and goes on as an ordinary one: that is one wait."""
    await clocks.set(door, worker)
    await caller.break_partner("payment", latency_ms=700, verbs=["confirm"])
    trip = await caller.book(order())

    async def is_capturing() -> bool:
        return any(call["verb"] == "confirm" for call in await caller.calls("payment", trip["trip_id"]))

    await eventually(is_capturing)
    await caller.override_breaker("hotel", "open")

    async def is_captured() -> bool:
        return bool(steps(await caller.trip(trip["trip_id"]))["payment"]["status"] == "confirmed")

    await eventually(is_captured)
    captured = time.monotonic()
    await caller.until(trip["trip_id"], "needs_attention")
    waited_s = time.monotonic() - captured
    await caller.mend_partner("payment")
    await caller.override_breaker("hotel", None)
    status, answer = await caller.call("POST", f"/trips/{trip['trip_id']}/steps/hotel/retry")
    assert status == 202, answer
    assert (await caller.until(trip["trip_id"]))["status"] == "confirmed"
    assert ATTENTION_S - 1 < waited_s < ATTENTION_S + 2.5


async def test_a_trip_that_starts_after_its_deadline_sends_nothing(clocks: Clocks, caller: Traveller) -> None:
    await clocks.set("+0", "+0")
    clocks.world.signal("temporal", signal.SIGSTOP)
    try:
        trip = await caller.book(order(deadline_s=1))
        await asyncio.sleep(1.5)
    finally:
        clocks.world.signal("temporal", signal.SIGCONT)
    ended = await caller.until(trip["trip_id"])
    assert (ended["status"], ended["failure"]["code"]) == ("failed", "deadline_exceeded"), ended
    assert not [partner for partner in steps(ended) if await caller.calls(partner, trip["trip_id"])]


async def last_calls(caller: Traveller, trips: list[Json]) -> list[Json]:
    """The last call of each trip to the tour; empty before the second one."""
    every = await asyncio.gather(*(caller.calls("tour", trip["trip_id"]) for trip in trips))
    return [calls[-1] if len(calls) > 1 else {} for calls in every]


async def under_way(caller: Traveller) -> list[Json]:
    """Trips whose second calls to the tour are all under way at once."""
    for _ in range(ROUNDS):
        trips = await asyncio.gather(*(caller.book(order()) for _ in range(TRIPS)))
        calls = await until(partial(all_sent, caller, trips))
        if all(call["outcome"] is None for call in calls):
            return trips
    raise TimeoutError("a call was always answered before the last one was sent")


async def all_sent(caller: Traveller, trips: list[Json]) -> list[Json]:
    """The second calls to the tour; none before all are sent."""
    calls = await last_calls(caller, trips)
    return calls if all(calls) else []


async def test_no_partner_is_blamed_for_a_worker_that_stood_still(clocks: Clocks, caller: Traveller) -> None:
    await clocks.set("+0", "+0")
    # Longer than a local activity waits: the calls under way are ordinary ones.
    await caller.break_partner("tour", latency_ms=3000, verbs=["PUT"])
    trips = await under_way(caller)
    clocks.world.signal(WORKER, signal.SIGSTOP)
    try:
        await asyncio.sleep(FROZEN_S)
        assert all(call["outcome"] in ("200", "201") for call in await last_calls(caller, trips))
    finally:
        clocks.world.signal(WORKER, signal.SIGCONT)
    ended = [await caller.until(trip["trip_id"]) for trip in trips]
    assert {trip["status"] for trip in ended} == {"confirmed"}
    await caller.mend_partner("tour")
    _, breaker = await caller.call("GET", "/breakers/tour")
    assert (breaker["state"], breaker["failures"], breaker["slow"]) == ("closed", 0, 0), breaker
    assert breaker["calls"] >= TRIPS
