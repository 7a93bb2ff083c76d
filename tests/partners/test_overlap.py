"""Two calls of one key that overlap are answered as if one had come after the other, on every engine."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import combinations_with_replacement, permutations
from typing import Any

import pytest

from tests.partners.cases import Case
from tests.partners.client import Client, new_key

ROUNDS = 8
END_ROUNDS = 5
AT_ONCE = 10
"""Rounds side by side: more would wait for one of the partner's connections to its engine."""

VERBS = ("hold", "confirm", "release")
PAIRS = list(combinations_with_replacement(VERBS, 2))
STARTS: list[tuple[str, ...]] = [(), ("hold",), ("hold", "confirm")]

Answer = tuple[int, str]

_CLOSED, _EXPIRED, _UNKNOWN = (409, "closed"), (409, "expired"), (404, "unknown_key")
_GAVE_BACK = ((200, "released"), "released")
_HELD, _CONFIRMED = ((200, "held"), "held"), ((200, "confirmed"), "confirmed")
CONTRACT: dict[tuple[str, str], tuple[Answer, str]] = {
    ("unknown", "hold"): ((201, "held"), "held"),
    ("unknown", "confirm"): (_UNKNOWN, "unknown"),
    ("unknown", "release"): _GAVE_BACK,
    ("held", "hold"): _HELD,
    ("held", "confirm"): _CONFIRMED,
    ("held", "release"): _GAVE_BACK,
    ("confirmed", "hold"): _CONFIRMED,
    ("confirmed", "confirm"): _CONFIRMED,
    ("confirmed", "release"): _GAVE_BACK,
    ("released", "hold"): (_CLOSED, "released"),
    ("released", "confirm"): (_CLOSED, "released"),
    ("released", "release"): _GAVE_BACK,
    ("expired", "hold"): (_CLOSED, "expired"),
    ("expired", "confirm"): (_EXPIRED, "expired"),
    ("expired", "release"): _GAVE_BACK,
}
"""What a verb is answered, and the status after it, by the status before it."""

Outcome = tuple[tuple[Answer, ...], str]
"""The answers of two calls, and the status that is left."""


def one_after_another(start: str, pair: tuple[str, str], *, may_expire: bool = False) -> Iterator[Outcome]:
    """Every outcome that some order of the two calls, and of the end of the hold if there is one, gives."""
    events = [*range(2), *["end of hold"] * may_expire]
    for order in permutations(events):
        status, answers = start, {}
        for event in order:
            if isinstance(event, int):
                answers[event], status = CONTRACT[status, pair[event]]
            elif status == "held":
                status = "expired"
        yield (answers[0], answers[1]), status
    if may_expire:
        yield from one_after_another(start, pair)


async def send(client: Client, verb: str, key: str, body: Any) -> Answer:
    if verb == "hold":
        status, answer = await client.put(key, body)
    else:
        status, answer = await (client.confirm(key) if verb == "confirm" else client.release(key))
    return status, answer["status"] if status < 400 else answer["code"]


async def overlapping(client: Client, pair: tuple[str, str], key: str, body: Any) -> Outcome:
    """Send both at once, in either order, and give the key back."""

    async def soon(verb: str) -> Answer:
        await asyncio.sleep(random.choice((0, random.uniform(0, 0.01))))
        return await send(client, verb, key, body)

    answers = await asyncio.gather(*map(soon, pair))
    status, found = await client.get(key)
    await client.release(key)
    return tuple(answers), found["status"] if status == 200 else "unknown"


@pytest.mark.parametrize("pair", PAIRS, ids="/".join)
async def test_overlapping_calls_are_answered_in_some_order(
    case: Case, client: Client, pair: tuple[str, str]
) -> None:
    turn = asyncio.Semaphore(AT_ONCE)

    async def one_round(start: tuple[str, ...]) -> tuple[str, Outcome]:
        async with turn:
            return await from_start(start)

    async def from_start(start: tuple[str, ...]) -> tuple[str, Outcome]:
        key, body, status = new_key(), case.good(), "unknown"
        for verb in start:
            wanted, status = CONTRACT[status, verb]
            assert await send(client, verb, key, body) == wanted
        return status, await overlapping(client, pair, key, body)

    rounds = Counter(await asyncio.gather(*(one_round(start) for start in STARTS for _ in range(ROUNDS))))
    wrong = {
        (start, outcome): times
        for (start, outcome), times in rounds.items()
        if outcome not in one_after_another(start, pair)
    }
    assert not wrong


async def test_calls_that_overlap_the_end_of_a_hold_are_answered_in_some_order(
    case: Case, second: Client
) -> None:
    turn = asyncio.Semaphore(AT_ONCE)

    async def one_round(pair: tuple[str, str]) -> tuple[tuple[str, str], Outcome]:
        async with turn:
            return pair, await at_its_end(pair)

    async def at_its_end(pair: tuple[str, str]) -> Outcome:
        key, body = new_key(), case.good()
        status, held = await second.put(key, body)
        assert status == 201
        left = datetime.fromisoformat(held["expires_at"]) - datetime.now(UTC)
        await asyncio.sleep(left.total_seconds() + random.uniform(-0.03, 0.01))
        return await overlapping(second, pair, key, body)

    rounds = Counter(await asyncio.gather(*(one_round(pair) for pair in PAIRS for _ in range(END_ROUNDS))))
    wrong = {
        (pair, outcome): times
        for (pair, outcome), times in rounds.items()
        if outcome not in one_after_another("held", pair, may_expire=True)
    }
    assert not wrong
