"""Whether trips ended whole or undone, by what their partners say."""

import asyncio
from collections.abc import Iterable

from trials.chaos.client import Client, Json
from trip.partner import Partner
from trip.trip import FINAL_STATUSES

FINAL = frozenset(status.value for status in FINAL_STATUSES)
UNFINISHED = ("booking", "compensating", "needs_attention")
ACTIVE = frozenset({"held", "confirmed"})
LOOK_EVERY_S = 0.3


async def settled(client: Client, limit_s: float) -> list[Json]:
    """Wait until no trip is under way, for `limit_s` seconds at most; the trips that still are then."""
    until = asyncio.get_running_loop().time() + limit_s
    while True:
        open_trips = [trip for status in UNFINISHED for trip in await client.trips(status)]
        if not open_trips or asyncio.get_running_loop().time() >= until:
            return open_trips
        await asyncio.sleep(LOOK_EVERY_S)


async def final(client: Client, trip_id: str, limit_s: float) -> Json:
    """The trip once it is final, or as it stands after `limit_s` seconds."""
    until = asyncio.get_running_loop().time() + limit_s
    while True:
        trip = await client.trip(trip_id)
        if trip["status"] in FINAL or asyncio.get_running_loop().time() >= until:
            return trip
        await asyncio.sleep(LOOK_EVERY_S)


async def faults_of(client: Client, trip: Json, may_end: Iterable[str]) -> list[str]:
    """What is wrong with a trip that has ended: its status, or a part that is missing or left behind."""
    wrong = []
    if trip["status"] not in may_end:
        wrong.append(f"ended {trip['status']}, not {' or '.join(may_end)}: {trip['failure']}")
    for partner in Partner:
        found = await client.reservation(partner.value, trip["trip_id"])
        ordered = any(step["name"] == partner for step in trip["steps"])
        if trip["status"] == "confirmed" and ordered and found != "confirmed":
            wrong.append(f"confirmed, but {partner} says {found}")
        if trip["status"] != "confirmed" and found in ACTIVE:
            wrong.append(f"{trip['status']}, but {partner} says {found}")
    return wrong
