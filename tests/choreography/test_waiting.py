"""What is heard of a trip waits only for what surely follows, and never if it decides."""

from dataclasses import replace

from choreography.waiting import waits_s
from tests.choreography.story import STAYS, Story, delivery
from trip.partner import PAYMENT, Partner, Verb

STORY = Story()


def test_holds_wait_for_the_one_that_decides() -> None:
    heard = [delivery(message) for message in STORY.all_held()]
    assert all(waits_s(heard[: n + 1]) > 0 for n in range(len(heard) - 1))
    assert waits_s(heard) == 0


def test_confirmations_wait_for_the_one_that_completes_the_trip() -> None:
    first, *others = [delivery(STORY.confirmed(partner)) for partner in reversed(Partner)]
    heard = [first]
    for one in others:
        assert waits_s(heard) > 0
        heard.append(one)
    assert waits_s(heard) == 0
    assert waits_s([*heard[1:], heard[1]]) > 0, "one told twice is not two"


def test_what_undoes_a_trip_waits_for_nothing() -> None:
    hotel = STAYS[0]
    for message in (STORY.refused(hotel), STORY.lapsed(hotel), STORY.released(hotel)):
        assert waits_s([delivery(STORY.held(STAYS[1])), delivery(message)]) == 0
    assert waits_s([delivery(STORY.tried(hotel, Verb.RESERVE))]) > 0


def test_what_cannot_be_read_waits_for_nothing() -> None:
    captured = replace(delivery(STORY.confirmed(PAYMENT)), body=b"{}")
    assert waits_s([captured]) == 0
