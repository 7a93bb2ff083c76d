"""What was heard of a trip, and the trip that it adds up to, are the same in whatever order messages come."""

from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choreography import protocol
from choreography.decisions import Row, decide
from choreography.facts import Facts, fold
from choreography.messages import Message, Tried, TriedData, read, written
from choreography.view import view
from tests.choreography.scenario import ATTENTION, LATE, SOON, START, Scenario
from tests.choreography.store_model import Path, Standing, paths
from trip.attempts import AttemptOutcome, FailedAttempt
from trip.fence import Mark
from trip.partner import Partner, Verb

SCENARIO = Scenario(("hotel", "tour"), redeem=20)


class Heard(NamedTuple):
    """Messages, and the same ones in another order, some of them twice."""

    messages: list[Message]
    otherwise: list[Message]


@st.composite
def told(draw: st.DrawFn, partner: Partner, path: Path) -> Message:
    """A row told as it stands, by whoever tells it first or again."""
    at = START + timedelta(seconds=draw(st.integers(0, 9)))
    row, attempt, again = SCENARIO.row(partner, path), draw(st.integers(1, 3)), draw(st.integers(0, 2))
    return protocol.tells(partner, row, at, attempt, again)


@st.composite
def tried(draw: st.DrawFn, partner: Partner) -> Message:
    """An attempt that did not succeed. A redelivery can have the number of an attempt before it."""
    at = START + timedelta(seconds=draw(st.integers(0, 9)))
    next_at = draw(st.sampled_from([None, at]))
    attempt = FailedAttempt(
        step=partner,
        verb=draw(st.sampled_from(Verb)),
        attempt=draw(st.integers(1, 3)),
        at=at,
        took_ms=1,
        outcome=AttemptOutcome.UNANSWERED,
        error=draw(st.sampled_from(["status 503", "no answer"])),
        next_at=next_at,
    )
    data = TriedData(slip=SCENARIO.slip.bare(), attempt=attempt, code=draw(st.sampled_from("ab")))
    return Tried(id="tried", source=partner.value, subject="trip", time=at, data=data)


@st.composite
def heard(draw: st.DrawFn) -> Heard:
    messages = []
    for partner in SCENARIO.partners:
        path = draw(st.sampled_from(paths()))
        for length in range(1, len(path) + 1):
            messages += draw(st.lists(told(partner, path[:length]), max_size=2))
        messages += draw(st.lists(tried(partner), max_size=2))
    twice = draw(st.lists(st.sampled_from(messages), max_size=3)) if messages else []
    return Heard(draw(st.permutations(messages)), draw(st.permutations(messages + twice)))


def adds_up_to(facts: Facts) -> list[Any]:
    """What is shown and decided under every mark."""
    rows = [Row(mark, None, facts) for mark in (None, *Mark) if mark is not Mark.BARRED]
    seen = [view(SCENARIO.booking, row, LATE, ATTENTION) for row in rows]
    return [*seen, *(decide(SCENARIO.booking, row, now) for row in rows for now in (SOON, LATE))]


@given(heard())
def test_order_and_repeats_change_nothing(heard: Heard) -> None:
    facts = fold(Facts(), heard.messages)
    assert fold(Facts(), heard.otherwise) == facts
    assert adds_up_to(fold(Facts(), heard.otherwise)) == adds_up_to(facts)


@given(heard(), st.integers(0, 30))
def test_messages_in_batches_add_up_to_the_same(heard: Heard, at: int) -> None:
    facts = fold(Facts(), heard.messages)
    assert fold(fold(Facts(), heard.otherwise[:at]), heard.otherwise[at:]) == facts
    assert fold(facts, heard.otherwise) == facts


@given(heard())
def test_nothing_new_leaves_the_same_facts(heard: Heard) -> None:
    facts = fold(Facts(), heard.messages)
    again = fold(facts, heard.otherwise)
    assert all(again.partners[partner] is known for partner, known in facts.partners.items())


@given(heard())
def test_facts_and_messages_are_read_as_they_were_written(heard: Heard) -> None:
    facts = fold(Facts(), heard.messages)
    assert Facts.model_validate_json(facts.model_dump_json()) == facts
    assert [read(written(message)) for message in heard.messages] == list[Message](heard.messages)


def test_a_row_can_go_on_in_nine_ways() -> None:
    assert len(paths()) == 9


def test_a_message_of_a_source_that_is_not_known_is_not_read() -> None:
    body = written(SCENARIO.message(("hotel", (Standing.HELD,))))
    assert read(body).source == "hotel"
    with pytest.raises(ValueError, match="boat"):
        read(body.replace(b'"source":"hotel"', b'"source":"boat"'))
