"""Examples for the OpenAPI document, with days that have not passed."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from fastapi.openapi.models import Example


def order_examples() -> dict[str, Example]:
    """A trip of every part, and the smallest there is; booked for 90 days after this process started."""
    first = datetime.now(UTC).date() + timedelta(days=90)
    return {
        "everything": {"summary": "A trip of every part", "value": _whole(first)},
        "a seat": {"summary": "A flight alone", "value": _seat(first)},
    }


def _whole(first: date) -> dict[str, Any]:
    return {
        "traveller": {"name": "Ada Lovelace", "email": "ada@example.com", "member_id": "M-1001"},
        "hotel": {
            "hotel_id": "KYO-RYOKAN",
            "check_in": str(first),
            "check_out": str(first + timedelta(days=3)),
            "rooms": 1,
        },
        "tour": {"tour_id": "KYOTO-WALK", "date": str(first + timedelta(days=1)), "seats": 2},
        "flight": {"flight_no": "NH847", "date": str(first), "seats": 2},
        "points": {"redeem": 5000},
        "payment": {"card_token": "tok_visa", "currency": "JPY"},
        "when_partner_down": "fail",
        "deadline_s": 300,
    }


def _seat(day: date) -> dict[str, Any]:
    return {
        "traveller": {"name": "Ada Lovelace", "email": "ada@example.com"},
        "flight": {"flight_no": "JL123", "date": str(day), "seats": 1},
        "payment": {"card_token": "tok_visa", "currency": "JPY"},
    }
