"""Calls of one key at once: one outcome, on every engine alike, and the stock as the outcome says."""

import asyncio
import random
from typing import Any

from partners.participant import Participant
from partners.store import Code, Refused, Status
from tests.partners.cases import Case
from tests.partners.client import Client, new_key
from tests.partners.rows import NOTE, REFUSAL, asked, is_untold, stood

RACES = 12


def units(stock: Any) -> tuple[int, ...]:
    """A case's view of the stock, as numbers."""
    return tuple(stock.values() if isinstance(stock, dict) else stock)


async def held_or_closed(store: Participant[Any], key: str, body: Any) -> bool:
    """Whether the hold got through; if not, the key was closed."""
    try:
        await store.hold(key, body, NOTE)
    except Refused as refused:
        assert refused.code is Code.CLOSED
        return False
    return True


async def test_a_hold_and_a_refusal_at_once_have_one_outcome(
    case: Case, store: Participant[Any], client: Client
) -> None:
    wanted, keys = case.good(), [new_key() for _ in range(RACES)]
    body = asked(case, wanted)
    none = units(await case.stock(client, wanted))
    await store.hold("one-" + keys[0], body)
    one = units(await case.stock(client, wanted))
    await store.release("one-" + keys[0])

    async def race(key: str, hold_first: bool) -> bool:
        if hold_first:
            held, row = await asyncio.gather(
                held_or_closed(store, key, body), store.refuse(key, REFUSAL, NOTE)
            )
        else:
            row, held = await asyncio.gather(
                store.refuse(key, REFUSAL, NOTE), held_or_closed(store, key, body)
            )
        assert row == await store.written(key)
        assert row.seq == 1
        assert (row.status, row.refusal) == ((Status.HELD, None) if held else (Status.RELEASED, REFUSAL))
        return held

    won = sum(await asyncio.gather(*(race(key, n % 2 == 0) for n, key in enumerate(keys))))
    expected = tuple(a + won * (b - a) for a, b in zip(none, one, strict=True))
    assert units(await case.stock(client, wanted)) == expected
    await asyncio.gather(*map(store.release, keys))
    assert units(await case.stock(client, wanted)) == none


async def test_a_release_among_them_ends_all(case: Case, store: Participant[Any], client: Client) -> None:
    wanted, keys = case.good(), [new_key() for _ in range(RACES)]
    body = asked(case, wanted)
    before = await case.stock(client, wanted)

    async def race(key: str) -> None:
        held, _, _ = await asyncio.gather(
            held_or_closed(store, key, body), store.refuse(key, REFUSAL, NOTE), store.release(key, NOTE)
        )
        row = await stood(store, key)
        assert row.status is Status.RELEASED
        assert row.seq == (2 if held else 1)
        assert not (held and row.refusal)
        assert await is_untold(store, key)

    await asyncio.gather(*map(race, keys))
    assert await case.stock(client, wanted) == before


async def test_a_first_note_and_a_confirmation_at_once_are_two_states(
    store: Participant[Any], body: Any
) -> None:
    async def soon(key: str) -> None:
        await asyncio.sleep(random.uniform(0, 0.01))
        await store.confirm(key)

    async def race(key: str) -> None:
        await store.hold(key, body)
        joined, _ = await asyncio.gather(store.refuse(key, REFUSAL, NOTE), soon(key))
        row = await stood(store, key)
        assert row.status is Status.CONFIRMED
        assert row.seq == joined.seq + (joined.status is Status.HELD)
        assert await is_untold(store, key)
        await store.release(key)

    await asyncio.gather(*(race(new_key()) for _ in range(RACES)))


async def test_the_last_arrival_sees_all(store: Participant[Any]) -> None:
    words = {"hotel": "held 48000", "tour": "held 10000", "flight": ""}

    async def join(key: str) -> None:
        seen = await asyncio.gather(*(store.arrive(key, *arrival) for arrival in words.items()))
        assert words in map(dict, seen)
        assert all(dict(one).items() <= words.items() for one in seen)
        # Who comes again sees all, and changes nothing.
        for source in words:
            assert dict(await store.arrive(key, source, "another word")) == words

    await asyncio.gather(*(join(new_key()) for _ in range(RACES)))
