"""The documents of the hotel partner and the expressions that read and change them."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from partners.hotel.database import Document
from partners.hotel.declaration import HotelStay
from partners.rules import new_reference
from partners.store import Reservation, Status

COUNTERS: Mapping[Status, str] = {Status.HELD: "held", Status.CONFIRMED: "confirmed"}
"""Which counter of a night has the rooms of a stay; `free` has those of a stay that is over."""

# As numbers: the development engine cannot compare `$$NOW` with a date of a document.
IN_TIME = {"$lt": [{"$toLong": "$$NOW"}, {"$toLong": "$expires_at"}]}


def night_name(hotel_id: str, night: date) -> str:
    """A night's document, such as `KYO-RYOKAN/2027-03-01`."""
    return f"{hotel_id}/{night}"


def night_names(body: HotelStay) -> list[str]:
    """The documents of the nights stayed."""
    return [night_name(body.hotel_id, night) for night in body.nights()]


def new_stay(key: str, body: HotelStay, nights: Sequence[Document], hold_s: float) -> Document:
    """The document of a new hold under `key`. Its time starts `now`, when the nights were read."""
    return {
        "_id": key,
        "status": Status.HELD,
        "reference": new_reference("HOTEL"),
        "amount_minor": sum(night["price_minor"] for night in nights) * body.rooms,
        "currency": nights[0]["currency"],
        "expires_at": nights[0]["now"] + timedelta(milliseconds=round(hold_s * 1000)),
        "nights": night_names(body),
        "rooms": body.rooms,
        "body": body.model_dump(mode="json"),
    }


def write_if_unchanged(known: Document, changes: Document) -> list[dict[str, Any]]:
    """The update that makes `changes` to a document, which it leaves as it is unless it is as `known`.

    The confirmation of a hold must be in time, too, by the engine's clock.
    """
    conditions: list[Any] = [
        {"$eq": [{"$ifNull": [f"${field}", None]}, known.get(field)]} for field in ("status", "seq")
    ]
    if (known["status"], changes["status"]) == (Status.HELD, Status.CONFIRMED):
        conditions.append(IN_TIME)
    changed = {"$mergeObjects": ["$$ROOT", {"$literal": changes}]}
    return [{"$replaceWith": {"$cond": [{"$and": conditions}, changed, "$$ROOT"]}}]


def moved(rooms: int, source: str, target: str) -> Document:
    """The update that moves rooms of a night from one counter to another."""
    return {"$inc": {source: -rooms, target: rooms}}


def new_night(night: str, hotel: Document) -> Document:
    """A night that nobody has held a room of: its price and counters, total = free + held + confirmed."""
    return {
        "_id": night,
        "hotel_id": hotel["_id"],
        "date": night.removeprefix(f"{hotel['_id']}/"),
        "price_minor": hotel["price_minor"],
        "currency": hotel["currency"],
        "total": hotel["rooms"],
        "free": hotel["rooms"],
        "held": 0,
        "confirmed": 0,
    }


def reservation(stay: Document, now: datetime | None = None) -> Reservation:
    """The reservation as the service shows it; with `now`, a hold past its time reads as expired."""
    overdue = now is not None and stay["status"] == Status.HELD and stay["expires_at"] <= now
    return Reservation.model_validate(
        {"key": stay["_id"]} | stay | ({"status": Status.EXPIRED} if overdue else {})
    )
