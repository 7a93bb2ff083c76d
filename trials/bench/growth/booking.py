"""Trips as the driver books them at the front door, however long it takes until they have ended."""

import asyncio
from collections.abc import Callable
from uuid import uuid4

from trials.bench.contest.contestants import CONTESTANTS, WAIT, Booked
from trials.bench.contest.ground import Ground
from trials.bench.contest.load import BookOne
from trials.bench.contest.measure import Turn
from trials.bench.contest.orders import Json, bench_order
from trip.order import MAX_DEADLINE_S
from trip.trip import FINAL_STATUSES

FINAL = {status.value for status in FINAL_STATUSES}
ASK_AGAIN_S = 1.0


def patient_order() -> Json:
    """A trip of all five parts that may take a day."""
    return bench_order() | {"deadline_s": MAX_DEADLINE_S}


def short_order() -> Json:
    """The same without hotel and tour, of which a long run has more in the same time."""
    return {name: part for name, part in patient_order().items() if name not in ("hotel", "tour")}


def booking(ground: Ground, ordered: Callable[[], Json] = patient_order) -> BookOne:
    """Books one trip and waits until it has a final status."""

    async def book() -> Booked:
        order, key = ordered(), str(uuid4())
        while True:
            trip = await _posted(ground, order, key)
            if trip["status"] in FINAL:
                return Booked(trip["trip_id"], trip["status"])
            await asyncio.sleep(ASK_AGAIN_S)

    return book


async def _posted(ground: Ground, order: Json, key: str) -> Json:
    """The trip of this key once it has settled, or as it stands after a minute."""
    headers = WAIT | {"Idempotency-Key": key}
    async with ground.front_door.post(f"{ground.api}/trips", json=order, headers=headers) as answer:
        trip: Json = await answer.json()
    if answer.status not in (200, 202):
        raise RuntimeError(f"POST /trips answered {answer.status}: {trip}")
    return trip


def turn(ground: Ground, seconds: float) -> Turn:
    """This project's turn on the ground."""
    return Turn(ground, CONTESTANTS[0], seconds)
