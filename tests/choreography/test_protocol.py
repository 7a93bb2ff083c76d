"""Whom each message concerns, for a trip of every part and for one of two."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from choreography.messages import TRIPS, Message, Slip, read, read_back, reason
from choreography.protocol import heard_by
from choreography.words import noted
from tests.choreography.story import STAYS, Story
from trip.partner import PAYMENT, POINTS, Partner, Verb

HOTEL, TOUR, FLIGHT = STAYS
STORY = Story()
SMALL = Slip(stages=((FLIGHT,), (PAYMENT,)))


def by_trips(kind: str, slip: Slip) -> Message:
    said: dict[str, Any] = {"slip": slip.model_dump()} | ({"seq": 0} if kind == "captured" else {})
    told = {"id": "1", "source": TRIPS, "subject": "1", "time": "2027-01-04T09:00:00Z", "data": said}
    return read_back(told | {"type": f"trips.{kind}.v1"})


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (STORY.held(HOTEL), [POINTS, TRIPS]),
        (STORY.held(POINTS), [PAYMENT, TRIPS]),
        (STORY.held(PAYMENT), [TRIPS]),
        (STORY.refused(TOUR), [HOTEL, FLIGHT, TRIPS]),
        (STORY.refused(PAYMENT), [*STAYS, POINTS, TRIPS]),
        (STORY.lapsed(FLIGHT), [TRIPS]),
        (STORY.confirmed(PAYMENT), [*STAYS, POINTS, TRIPS]),
        (STORY.confirmed(HOTEL), [TRIPS]),
        (STORY.released(HOTEL), [TRIPS]),
        (STORY.tried(HOTEL, Verb.RESERVE), [TRIPS]),
        (by_trips("requested", SMALL), [FLIGHT]),
        (by_trips("bought", SMALL), [PAYMENT]),
        (by_trips("captured", SMALL), [FLIGHT]),
        (by_trips("withdrawn", SMALL), [FLIGHT, PAYMENT]),
    ],
    ids=lambda value: type(value).__name__.lower() if isinstance(value, Message) else "",
)
def test_a_message_is_heard_by_those_whom_it_concerns(message: Message, expected: list[str]) -> None:
    assert heard_by(message) == expected


@pytest.mark.parametrize("partner", Partner)
def test_a_message_is_read_back_as_it_was_kept(partner: Partner) -> None:
    message = STORY.refused(partner)
    assert heard_by(read_back(json.loads(noted(message).body))) == heard_by(message)


def test_a_message_of_another_version_is_not_read_back() -> None:
    with pytest.raises(ValueError, match=r"trips\.held\.v2"):
        read_back(json.loads(noted(STORY.held(HOTEL)).body) | {"type": "trips.held.v2"})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "Invalid JSON"),
        (b'{"type": "trips.bought.v1", "id": 7}', "trips.bought.v1.id: Input should be a valid string; "),
    ],
)
def test_a_reason_names_the_place_and_not_what_was_given(body: bytes, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read(body)
    assert reason(caught.value).startswith(said)
