"""The trips' record as facts."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from sys import intern
from typing import Any

import asyncpg
from pydantic import BaseModel, ConfigDict, ValidationError

from audit.facts import Claims, StepFact, TripFact, row_name
from partners.catalogue import STAYS
from trip.order import TripOrder
from trip.partner import Partner

_PARTNERS = frozenset(Partner)


class _Step(BaseModel):
    name: str
    status: str
    reference: str | None = None
    amount_minor: int | None = None


class _Total(BaseModel):
    amount_minor: int | None = None
    currency: str


class _Trip(BaseModel):
    """As much of a trip as is judged, so that a row of another version can be read."""

    status: str
    steps: list[_Step]
    total: _Total


class _Order(BaseModel):
    """The same of an order."""

    model_config = ConfigDict(extra="allow")

    payment: dict[str, Any]
    deadline_s: int = TripOrder.model_fields["deadline_s"].default


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
    trip = _Trip.model_validate(row["trip"])
    order = _Order.model_validate(row["ordered"])
    parts = {name: part for name, part in order.model_dump().items() if isinstance(part, dict)}
    steps = {step.name: StepFact(step.status, step.reference, step.amount_minor) for step in trip.steps}
    return TripFact(
        trip_id=row["trip_id"],
        status=intern(row["status"]),
        shown_status=intern(trip.status),
        version=row["version"],
        accepted_at=row["created_at"],
        updated_at=row["updated_at"],
        started=row["started"],
        deadline_s=order.deadline_s,
        ordered=tuple(partner for partner in Partner if partner in parts),
        claims=claims(parts),
        steps={Partner(name): step for name, step in steps.items() if name in _PARTNERS},
        total_minor=trip.total.amount_minor,
        currency=trip.total.currency,
        is_choreographed=row["coordination"] == "choreography",
        decided_at=datetime.fromisoformat(row["decided_at"]) if row["decided_at"] else None,
        unknown_minor=sum(step.amount_minor or 0 for name, step in steps.items() if name not in _PARTNERS),
    )


def claims(parts: Mapping[str, Any]) -> dict[Partner, Claims]:
    """What the parts of an order take from the stock of each stay that is among them."""
    return {
        Partner(stay.name): tuple(
            (intern(row_name(claim.item, claim.day)), claim.units)
            for claim in stay.claims(stay.body.model_validate(parts[stay.name], extra="ignore"))
        )
        for stay in STAYS
        if stay.name in parts
    }
