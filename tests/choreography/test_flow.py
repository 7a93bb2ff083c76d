"""Three partners carry a trip among themselves, on real engines and a real broker."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

import pytest

from choreography.broker import Broker
from choreography.messages import (
    Bought,
    Captured,
    Confirmed,
    Data,
    Held,
    Lapsed,
    Message,
    Refused,
    Released,
    Requested,
    Slip,
    Withdrawn,
)
from choreography.partner import Part
from partners.lab import Lab
from partners.participant import Participant
from partners.store import Status
from serving.faults import Faults, FaultVerb
from tests.choreography.hearing import QUICK
from tests.choreography.partner import SEAL, Engines, service_of
from tests.choreography.trips import Trips, trips_at
from tests.partners.cases import far_day
from tests.partners.client import new_key, until
from tests.partners_engines.engines import opened
from trip.partner import PAYMENT, POINTS, Partner

pytestmark = pytest.mark.server

TOUR = Partner("tour")
STAGES = ((TOUR,), (POINTS,), (PAYMENT,))
PRICE, POINTS_OFF = 10_000, 7
BRIEF_S = 1.5

_numbers = count()


@dataclass
class World:
    """What stands in for trips, and the partners' stores.

    `lab` is the tour's. `brief` is another instance of the tour, whose holds are soon over.
    """

    trips: Trips
    stores: dict[Partner, Participant[Any]]
    lab: Lab
    brief: Participant[Any]

    async def standings(self, trip_id: str) -> list[Status]:
        """How the trip's reservations stand, in the order of the stages."""
        return [(await store.get(trip_id)).status for store in self.stores.values()]


@dataclass
class Order:
    """A trip of two seats on a tour, less a few points."""

    card_token: str = "tok_visa"
    trip_id: str = field(default_factory=new_key)
    day: date = field(default_factory=far_day)
    again: int = 0

    def asks(self) -> Requested:
        """What begins the trip."""
        parts = {
            TOUR: {"tour_id": "KYOTO-WALK", "date": self.day.isoformat(), "seats": 2},
            POINTS: {"member_id": "M-1001", "redeem": POINTS_OFF},
            PAYMENT: {"card_token": SEAL.seal(self.card_token, self.trip_id), "currency": "JPY"},
        }
        return Requested(data=Data(slip=Slip(stages=STAGES, parts=parts), again=self.again), **self._of())

    def decides(self, kind: type[Bought] | type[Withdrawn]) -> Message:
        """What the trip's row decides."""
        return kind(data=Data(slip=Slip(stages=STAGES)), **self._of())

    def _of(self) -> dict[str, Any]:
        identity = f"trips/{self.trip_id}/{next(_numbers)}"
        return {"id": identity, "source": "trips", "subject": self.trip_id, "time": datetime.now(UTC)}


@pytest.fixture(scope="module")
async def world(broker: Broker, engines: Engines) -> AsyncIterator[World]:
    services = {me: service_of(me.value) for me in (TOUR, POINTS, PAYMENT)}
    async with AsyncExitStack() as stack:
        stores, lab = {}, Lab()
        for me, service in services.items():
            engine = await engines.of(me.value)
            stores[me] = await stack.enter_async_context(opened(service, engine, 900))
            part = Part(me, QUICK, SEAL if me is PAYMENT else None)
            await stack.enter_async_context(
                part.taken(broker, stores[me], service.away, lab if me is TOUR else None)
            )
        brief = await stack.enter_async_context(opened(services[TOUR], await engines.of(TOUR.value), BRIEF_S))
        trips = await stack.enter_async_context(trips_at(broker, "flow"))
        yield World(trips, stores, lab, brief)


async def _is_held(world: World, order: Order) -> Held:
    """The trip is held by all three. Returns what the last of them told."""
    await world.trips.tell(order.asks())
    return await world.trips.heard(order.trip_id, Held, PAYMENT)


async def test_a_trip_is_held_captured_and_confirmed(world: World) -> None:
    order = Order()
    held = await _is_held(world, order)
    assert held.data.amount_minor == PRICE - POINTS_OFF
    assert await world.standings(order.trip_id) == [Status.HELD] * 3
    await world.trips.tell(order.decides(Bought))
    assert (await world.trips.heard(order.trip_id, Captured)).data.amount_minor == PRICE - POINTS_OFF
    for source in (TOUR, POINTS):
        await world.trips.heard(order.trip_id, Confirmed, source)
    assert await world.standings(order.trip_id) == [Status.CONFIRMED] * 3
    # Each was told once, and nobody told more than its own.
    assert len(world.trips.of(order.trip_id, Message)) == 8
    for store in world.stores.values():
        await store.release(order.trip_id)


async def test_a_declined_card_undoes_what_came_before(world: World) -> None:
    order = Order(card_token="tok_declined")
    await world.trips.tell(order.asks())
    refused = await world.trips.heard(order.trip_id, Refused, PAYMENT)
    assert refused.data.code == "declined"
    for source in (TOUR, POINTS):
        await world.trips.heard(order.trip_id, Released, source)
    assert await world.standings(order.trip_id) == [Status.RELEASED] * 3


async def test_a_trip_is_withdrawn(world: World) -> None:
    order = Order()
    await _is_held(world, order)
    await world.trips.tell(order.decides(Withdrawn))
    for source in (TOUR, POINTS, PAYMENT):
        await world.trips.heard(order.trip_id, Released, source)
    assert await world.standings(order.trip_id) == [Status.RELEASED] * 3


async def test_an_undo_that_comes_first_closes_the_trip(world: World) -> None:
    order = Order()
    await world.trips.tell(order.decides(Withdrawn))
    for source in (TOUR, POINTS, PAYMENT):
        await world.trips.heard(order.trip_id, Released, source)
    order.again = 1
    await world.trips.tell(order.asks())

    async def said_so() -> bool:
        told = world.trips.of(order.trip_id, Released)
        return [m.data.again for m in told if m.source == TOUR] == [0, 1]

    await until(said_so)
    assert world.trips.of(order.trip_id, Held) == []
    assert await world.standings(order.trip_id) == [Status.RELEASED] * 3


async def test_a_hold_that_expires_after_the_capture_is_told_and_refunded(world: World) -> None:
    order = Order()
    part = order.asks().data.slip.parts[TOUR]
    await world.brief.hold(order.trip_id, service_of("tour").declaration.body.model_validate(part))
    await _is_held(world, order)
    world.lab.put(Faults(latency_ms=round(1000 * BRIEF_S), verbs=(FaultVerb.CONFIRM,), count=1))
    await world.trips.tell(order.decides(Bought))
    await world.trips.heard(order.trip_id, Captured)
    assert (await world.standings(order.trip_id))[::2] == [Status.HELD, Status.CONFIRMED]
    await world.trips.heard(order.trip_id, Lapsed, TOUR)
    await world.trips.tell(order.decides(Withdrawn))
    for source in (TOUR, POINTS, PAYMENT):
        await world.trips.heard(order.trip_id, Released, source)
    assert await world.standings(order.trip_id) == [Status.RELEASED] * 3
