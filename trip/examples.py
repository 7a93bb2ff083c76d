"""The trips that documents, the demo and tests book, on the bundled partners' sample data."""

from datetime import date
from typing import Any

from partners.catalogue import STAYS
from serving.fields import Body


def example_order(first: date) -> dict[str, Any]:
    """A trip of every part that begins on `first`, as the body of `POST /trips`."""
    return {
        "traveller": {"name": "Ada Lovelace", "email": "ada@example.com", "member_id": "M-1001"},
        **{stay.name: _json(stay.example(first)) for stay in STAYS},
        "points": {"redeem": 5000},
        "payment": {"card_token": "tok_visa", "currency": "JPY"},
    }


def smallest_order(first: date) -> dict[str, Any]:
    """The least that can be ordered: one stay, the last of the catalogue."""
    stay = STAYS[-1]
    return {
        "traveller": {"name": "Ada Lovelace", "email": "ada@example.com"},
        stay.name: _json(stay.example(first)),
        "payment": {"card_token": "tok_visa", "currency": "JPY"},
    }


def _json(body: Body) -> dict[str, Any]:
    return body.model_dump(mode="json")
