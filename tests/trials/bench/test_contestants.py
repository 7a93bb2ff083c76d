"""Every contestant does on a real ground what the contest says of it."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from trials.bench.contest import failing, measure
from trials.bench.contest.contestants import CONTESTANTS, Arena, Contestant, fresh_arena
from trials.bench.contest.measure import Turn
from trials.load import Load, count
from trials.orders import PARTNERS

EVERYONE = [
    pytest.param(one, id=one.name, marks=[pytest.mark.skip(one.left_out)] if one.left_out else [])
    for one in CONTESTANTS
]
SAGAS = [case for case, one in zip(EVERYONE, CONTESTANTS, strict=True) if one.is_saga]
ACTIONS = {"textbook": 21, "bare": 6}
CALLS = {"bare": 0, "choreographed": 12}
"""Points hear of each of the three stays, and hold at the last."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def arena() -> AsyncIterator[Arena]:
    async with fresh_arena() as found:
        yield found


async def statuses(arena: Arena, trip_id: str) -> dict[str, str]:
    """How each partner's reservation of the trip stands, if there is one."""
    found = {partner: await arena.ground.traveller.reservation(partner, trip_id) for partner in PARTNERS}
    return {partner: one["status"] for partner, one in found.items() if one}


@pytest.mark.parametrize("contestant", EVERYONE)
async def test_a_trip_is_confirmed_by_its_calls(arena: Arena, contestant: Contestant) -> None:
    turn, load = Turn(arena, contestant, seconds=0.5), Load()
    figures = await measure.counted(turn, load, turn.booking(), trips=2, in_flight=2)
    assert (len(load.trips), load.wrong) == (2, [])
    made = CALLS.get(contestant.name, 10)
    assert await failing.calls_of(arena.ground.traveller, load.trips, PARTNERS) == made
    assert await statuses(arena, load.trips[0]) == (dict.fromkeys(PARTNERS, "confirmed") if made else {})
    assert figures.get("actions") == ACTIONS.get(contestant.name, figures.get("actions"))
    assert figures["cpu_ms_own"] > 0 or contestant.name == "plain"


@pytest.mark.parametrize("contestant", SAGAS)
async def test_a_declined_trip_is_undone(arena: Arena, contestant: Contestant) -> None:
    turn, load = Turn(arena, contestant, seconds=0.5), Load("failed")
    await count(turn.booking("tok_declined"), load, trips=1, in_flight=1)
    assert load.wrong == []
    assert set((await statuses(arena, load.trips[0])).values()) == {"released"}


async def test_a_trip_that_did_not_end_as_it_had_to_is_named(arena: Arena) -> None:
    turn, load = Turn(arena, CONTESTANTS[0], seconds=0.5), Load()
    await count(turn.booking("tok_declined"), load, trips=1, in_flight=1)
    assert load.trips == []
    assert load.wrong[0].endswith("ended failed")


async def test_an_open_breaker_keeps_the_textbook_out_of_the_sick_partner(arena: Arena) -> None:
    textbook = next(one for one in CONTESTANTS if one.name == "textbook")
    kept_out = next(one for one in failing.SCENARIOS if one.name == "kept_out")
    figures, wrong = await failing.measured(Turn(arena, textbook, 0.5), replace(kept_out, trips=2))
    assert wrong == []
    assert figures["calls"] == 4, "two holds, and their releases"
