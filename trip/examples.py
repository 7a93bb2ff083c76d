"""The trip that documents, the demo and tests book: one of every part, on the bundled partners' stock."""

from datetime import date
from typing import Any

from partners.catalogue import STAYS


def example_order(first: date) -> dict[str, Any]:
    """A trip that begins on `first`, as the body of `POST /trips`."""
    return {
        "traveller": {"name": "Ada Lovelace", "email": "ada@example.com", "member_id": "M-1001"},
        **{stay.name: stay.example(first).model_dump(mode="json") for stay in STAYS},
        "points": {"redeem": 5000},
        "payment": {"card_token": "tok_visa", "currency": "JPY"},
    }
