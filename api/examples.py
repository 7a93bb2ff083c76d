"""Examples for the OpenAPI document, with days that have not passed."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from fastapi.openapi.models import Example

from trip.examples import example_order


def order_examples() -> dict[str, Example]:
    """A trip of every part, and the smallest there is; booked for 90 days after this process started."""
    first = datetime.now(UTC).date() + timedelta(days=90)
    return {
        "everything": {"summary": "A trip of every part", "value": example_order(first)},
        "a seat": {"summary": "A flight alone", "value": _seat(first)},
    }


def _seat(day: date) -> dict[str, Any]:
    return {
        "traveller": {"name": "Ada Lovelace", "email": "ada@example.com"},
        "flight": {"flight_no": "JL123", "date": str(day), "seats": 1},
        "payment": {"card_token": "tok_visa", "currency": "JPY"},
    }
