"""What another version wrote is read back from the record and from histories."""

import json
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError
from temporalio.api.common.v1 import Payload

from config.temporal import data_converter
from trip.examples import example_order
from trip.order import TripOrder, read_back
from trip.trip import Booking


def newer() -> dict[str, Any]:
    """A booking with fields that this version does not know."""
    order = example_order(date(2030, 1, 1)) | {"insurance": "none"}
    order["hotel"]["view"] = "sea"
    links = {"self": "/", "events": "/events", "temporal_ui": "/ui", "map": "/map"}
    at = "2030-01-01T00:00:00Z"
    return {
        "trip_id": "t",
        "tenant": "x",
        "order": order,
        "accepted_at": at,
        "links": links,
        "channel": "web",
    }


def test_a_workflow_is_given_what_it_knows_of_its_input() -> None:
    payload = Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(newer()).encode())
    (booking,) = data_converter(None).payload_converter.from_payloads([payload], [Booking])
    assert isinstance(booking, Booking)
    assert booking.order == TripOrder.model_validate(example_order(date(2030, 1, 1)))


def test_an_unknown_part_is_not_left_out() -> None:
    booking = newer()
    booking["order"]["cruise"] = {"ship": "Asuka"}
    with pytest.raises(ValidationError, match="cannot book cruise"):
        Booking.model_validate(booking)


def test_an_order_that_is_read_back_is_still_an_order() -> None:
    order = newer()["order"]
    order["hotel"]["rooms"] = 0
    with pytest.raises(ValidationError):
        read_back(order)
    with pytest.raises(ValidationError):
        TripOrder.model_validate(newer()["order"])


@pytest.mark.parametrize(
    ("part", "field"), [("traveller", "email"), ("traveller", "name"), ("payment", "card_token")]
)
def test_what_cannot_be_read_is_not_shown(part: str, field: str) -> None:
    booking = newer()
    booking["order"][part][field] = {"said": "a secret"}
    with pytest.raises(ValidationError) as refused:
        Booking.model_validate(booking)
    assert field in str(refused.value)
    assert "secret" not in str(refused.value)
