"""What another version wrote is read back from the record and from histories."""

import json
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError
from temporalio.api.common.v1 import Payload

from config.temporal import DATA_CONVERTER
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
    (booking,) = DATA_CONVERTER.payload_converter.from_payloads([payload], [Booking])
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
