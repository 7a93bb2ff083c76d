"""Examples for the OpenAPI document, with days that have not passed."""

from datetime import UTC, datetime, timedelta

from fastapi.openapi.models import Example

from trip.examples import example_order, smallest_order


def order_examples() -> dict[str, Example]:
    """A trip of every part, and the smallest there is; booked for 90 days after this process started."""
    first = datetime.now(UTC).date() + timedelta(days=90)
    return {
        "everything": {"summary": "A trip of every part", "value": example_order(first)},
        "one part": {"summary": "A trip of one part alone", "value": smallest_order(first)},
    }
