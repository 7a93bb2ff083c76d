"""An idempotency key knows its body again, whatever the front door is set to and whichever version it is."""

import hashlib
import json
from datetime import date

import pytest

from api.trips import body_hash
from trip.examples import example_order
from trip.order import TripOrder

ORDER = example_order(date(2030, 1, 1))


@pytest.mark.parametrize("said", [{}, {"coordination": "orchestration"}, {"coordination": "choreography"}])
def test_who_coordinates_the_trip_is_not_hashed(said: dict[str, str]) -> None:
    as_it_always_was = hashlib.sha256(json.dumps(ORDER, sort_keys=True).encode()).digest()
    assert body_hash(TripOrder.model_validate(ORDER | said)) == as_it_always_was
