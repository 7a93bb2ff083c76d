"""The documents of the hotel partner and the expressions that read and change them."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from partners.hotel.database import Document
from partners.hotel.declaration import HotelStay
from partners.rules import new_reference
from partners.store import Reservation, Status

# Confirms a hold, and says when by the engine's clock: the caller must see that it was not too late.
CONFIRM = [{"$set": {"status": Status.CONFIRMED, "confirmed_at": "$$NOW"}}]


def night_name(hotel_id: str, night: date) -> str:
    """A night's document, such as `KYO-RYOKAN/2027-03-01`."""
    return f"{hotel_id}/{night}"


def night_names(body: HotelStay) -> list[str]:
    """The documents of the nights stayed."""
    return [night_name(body.hotel_id, night) for night in body.nights()]


def new_stay(key: str, body: HotelStay, nights: Sequence[Document]) -> Document:
    """The document of a new hold under `key`, all but its expiry."""
    return {
        "_id": key,
        "status": Status.HELD,
        "reference": new_reference("HOTEL"),
        "amount_minor": sum(night["price_minor"] for night in nights) * body.rooms,
        "currency": nights[0]["currency"],
        "nights": night_names(body),
        "rooms": body.rooms,
        "body": body.model_dump(mode="json"),
    }


def insert_unless_known(stay: Document, hold_s: float) -> list[dict[str, Any]]:
    """The update that makes a missing document `stay`, and leaves one that is there as it is."""
    expiry = {"expires_at": {"$add": ["$$NOW", round(hold_s * 1000)]}}
    new = {"$mergeObjects": [{"$literal": stay}, expiry]}
    return [{"$replaceWith": {"$cond": [{"$ifNull": ["$status", False]}, "$$ROOT", new]}}]


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
