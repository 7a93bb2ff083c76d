"""The trips' record as facts."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from sys import intern

import asyncpg
from pydantic import ValidationError

from audit.facts import Claims, StepFact, TripFact, row_name
from partners.catalogue import STAYS
from trip.order import TripOrder, read_back
from trip.partner import Partner
from trip.trip import Trip, TripStatus


@dataclass
class ReadTrips:
    """Trips by id, and what is wrong with those whose record cannot be read."""

    trips: dict[str, TripFact] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)


async def collect(rows: AsyncIterator[asyncpg.Record], into: ReadTrips) -> None:
    """Add every row that `record.audit` gives."""
    async for row in rows:
        trip_id = row["trip_id"]
        try:
            into.trips[trip_id] = trip_fact(row)
        except (ValidationError, ValueError) as error:
            into.unreadable[trip_id] = f"its record cannot be read: {_first(error)}"


def _first(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        found = error.errors()[0]
        return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"
    return str(error)


def trip_fact(row: asyncpg.Record) -> TripFact:
    """One row of the table. Raises ValueError, and its kind ValidationError."""
    trip = Trip.model_validate(row["trip"])
    order = read_back(row["ordered"])
    return TripFact(
        trip_id=row["trip_id"],
        status=TripStatus(row["status"]),
        shown_status=trip.status,
        version=row["version"],
        accepted_at=row["created_at"],
        updated_at=row["updated_at"],
        started=row["started"],
        deadline_s=order.deadline_s,
        ordered=tuple(order.partners()),
        claims=claims(order),
        steps={s.name: StepFact(s.status, s.reference, s.amount_minor) for s in trip.steps},
        total_minor=trip.total.amount_minor,
        currency=trip.total.currency,
    )


def claims(order: TripOrder) -> dict[Partner, Claims]:
    """What the order takes from the stock of each stay that it asks for."""
    return {
        Partner(stay.name): tuple(
            (intern(row_name(claim.item, claim.day)), claim.units) for claim in stay.claims(part)
        )
        for stay in STAYS
        if (part := order.part(stay.name))
    }
