"""One call to a partner that twists its answer: what the call's activity and its breaker make of it."""

from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import cycle, product
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from guard.policy import Outcome
from serving.fields import MAX_SHOWN
from tests.answers.ground import HELD, Bench, opened_bench, reason
from tests.answers.twists import (
    CONFIRM,
    HOLD,
    REFUSED,
    UNANSWERED,
    UNUSABLE,
    UNUSABLE_OF,
    USABLE,
    Twist,
    fields,
)
from trip.partner import PARTNER_ANSWER_INVALID, PARTNER_UNAVAILABLE, PartnerAnswer, Verb


@pytest.fixture(scope="module")
async def bench() -> AsyncIterator[Bench]:
    async with opened_bench() as opened:
        yield opened


def by_turns(*given: Iterable[Any]) -> list[tuple[Any, ...]]:
    """All combinations, each at one kind of partner. The kinds take turns."""
    return [(partner, *found) for partner, found in zip(cycle(HELD), product(*given), strict=False)]


def unusable() -> Iterator[tuple[str, Verb, str]]:
    yield from by_turns([HOLD, CONFIRM], UNUSABLE)
    yield from ((partner, verb, name) for (partner, verb), names in UNUSABLE_OF.items() for name in names)


def readable(text: str) -> bool:
    return text.isprintable() and len(text) <= MAX_SHOWN


@pytest.mark.parametrize(("partner", "verb", "name"), list(unusable()))
async def test_an_unusable_answer_is_no_answer(bench: Bench, partner: str, verb: Verb, name: str) -> None:
    twist: Twist = UNUSABLE_OF[partner, verb].get(name) or UNUSABLE[name]
    found = await bench.call(verb, partner, twist)
    assert isinstance(found, ApplicationError), found
    assert found.type == PARTNER_ANSWER_INVALID
    assert found.next_retry_delay is not None and not reason(found).final
    assert readable(found.message)
    assert bench.breakers.outcomes == [Outcome.FAILURE]
    assert len(bench.requests) == 1


@pytest.mark.parametrize(("partner", "verb", "name"), by_turns([HOLD, CONFIRM], USABLE))
async def test_a_usable_answer_is_taken(bench: Bench, partner: str, verb: Verb, name: str) -> None:
    found = await bench.call(verb, partner, USABLE[name])
    assert isinstance(found, PartnerAnswer), found
    assert found.reservation.amount_minor == HELD[partner]
    assert bench.breakers.outcomes == [Outcome.SUCCESS]
    assert "Cookie" not in bench.requests[0].headers


async def test_a_repeated_hold_may_be_confirmed_already(bench: Bench) -> None:
    assert isinstance(await bench.call(HOLD, "flight", fields(status="confirmed")), PartnerAnswer)


@pytest.mark.parametrize(("partner", "least"), [("flight", 0), ("points", 0)])
async def test_what_costs_nothing_is_held(bench: Bench, partner: str, least: int) -> None:
    assert isinstance(await bench.call(HOLD, partner, fields(amount_minor=least)), PartnerAnswer)


async def test_a_release_says_no_more_than_that_it_is_done(bench: Bench) -> None:
    much = fields(reference="\0" * 1000, amount_minor="x", currency=7, expires_at=[])
    found = await bench.call(Verb.RELEASE, "flight", much)
    assert isinstance(found, PartnerAnswer)
    assert found.reservation.model_dump(exclude_none=True) == {"key": "a-trip", "status": "released"}


@pytest.mark.parametrize(("partner", "name"), by_turns(REFUSED))
async def test_a_refusal_for_good(bench: Bench, partner: str, name: str) -> None:
    verb, twist, code, no_effect = REFUSED[name]
    found = await bench.call(verb, partner, twist)
    assert isinstance(found, ApplicationError) and found.non_retryable
    assert (found.type, reason(found).final) == (code, no_effect)
    assert bench.breakers.outcomes == [Outcome.SUCCESS]


@pytest.mark.parametrize(("partner", "name"), by_turns(UNANSWERED))
async def test_what_is_neither(bench: Bench, partner: str, name: str) -> None:
    verb, twist = UNANSWERED[name]
    found = await bench.call(verb, partner, twist)
    assert isinstance(found, ApplicationError), found
    assert found.type == PARTNER_UNAVAILABLE and found.next_retry_delay is not None
    assert readable(found.message)
    assert bench.breakers.outcomes == [Outcome.FAILURE]
    assert len(bench.requests) == 1, "a redirect was followed"
