"""Trips that nothing but an attack can keep from being confirmed."""

import random
from datetime import UTC, datetime, timedelta

from trials.chaos.client import Json


def whole_order(card_token: str = "tok_visa") -> Json:  # noqa: S107 - the sample data's card
    """A trip of all five parts, on stock that never runs out."""
    first = datetime.now(UTC).date() + timedelta(days=random.randint(30, 1000))
    return {
        "traveller": {"name": "Ada Lovelace", "email": "ada@example.com", "member_id": "BENCH-MEMBER"},
        "hotel": {
            "hotel_id": "BENCH-HOTEL",
            "check_in": str(first),
            "check_out": str(first + timedelta(days=3)),
            "rooms": 1,
        },
        "tour": {"tour_id": "BENCH-TOUR", "date": str(first), "seats": 2},
        "flight": {"flight_no": "BENCH-FLIGHT", "date": str(first), "seats": 2},
        "points": {"redeem": 50},
        "payment": {"card_token": card_token, "currency": "JPY"},
    }
