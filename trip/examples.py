"""The trip that documents, the demo and tests book: one of every part, on the bundled partners' stock."""

from datetime import date, timedelta
from typing import Any


def example_order(first: date) -> dict[str, Any]:
    """A trip of three nights from `first`, as the body of `POST /trips`; its price is 123,000 JPY."""
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
    }
