"""Whether trips ended whole or undone, by their partners' word, and whether all stores agree."""

from collections.abc import Iterable

from audit.run import audit
from trials.chaos.client import Client
from trials.orders import Json
from trials.polling import last_look
from trials.traveller import FINAL
from trip.partner import Partner
from trip.trip import TripStatus

UNFINISHED = [status.value for status in TripStatus if status.value not in FINAL]
ACTIVE = frozenset({"held", "confirmed"})
LOOK_EVERY_S = 0.3


async def under_way(client: Client) -> list[Json]:
    return [trip for status in UNFINISHED for trip in await client.trips(status)]


async def settled(client: Client, limit_s: float) -> list[Json]:
    """Wait until no trip is under way; the trips that still are after `limit_s` seconds."""
    return await last_look(lambda: under_way(client), lambda found: not found, limit_s, LOOK_EVERY_S)


async def final(client: Client, trip_id: str, limit_s: float) -> Json:
    return await last_look(
        lambda: client.trip(trip_id), lambda trip: trip["status"] in FINAL, limit_s, LOOK_EVERY_S
    )


async def faults_of(client: Client, trip: Json, may_end: Iterable[str]) -> list[str]:
    """What is wrong with a trip that has ended: its status, or a step that is missing or left behind."""
    wrong = []
    if trip["status"] not in may_end:
        wrong.append(f"ended {trip['status']}, not {' or '.join(may_end)}: {trip['failure']}")
    ordered = {step["name"] for step in trip["steps"]}
    for partner in Partner:
        found = await client.stands_as(partner, trip["trip_id"])
        if trip["status"] == "confirmed" and partner in ordered and found != "confirmed":
            wrong.append(f"confirmed, but {partner} says {found}")
        if trip["status"] != "confirmed" and found in ACTIVE:
            wrong.append(f"{trip['status']}, but {partner} says {found}")
    return wrong


async def audited(client: Client) -> list[str]:
    """A line for each discrepancy that the audit of all stores finds, and each thing it could not judge."""
    report = await audit(client.world.endpoints())
    wrong = [f"{found.subject}: {found.code}: {found.problem}" for found in report.discrepancies]
    return wrong + [f"{subject}: not at rest, and so not audited" for subject in report.in_flight]
