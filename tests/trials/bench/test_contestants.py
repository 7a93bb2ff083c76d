"""Every contestant does on a real ground what the contest says of it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from trials.bench.contest import failing, measure
from trials.bench.contest.contestants import CONTESTANTS, Contestant
from trials.bench.contest.ground import Ground, fresh_ground
from trials.bench.contest.load import Load, count
from trials.bench.contest.measure import Turn
from trials.bench.contest.orders import PARTNERS

SCENARIOS = {scenario.name: scenario for scenario in failing.SCENARIOS}
SAGAS = [one for one in CONTESTANTS if one.name in SCENARIOS["declined"].contestants]
ACTIONS = {"textbook": 21, "bare": 6}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ground() -> AsyncIterator[Ground]:
    async with fresh_ground(asyncio.Event()) as found:
        yield found


async def statuses(ground: Ground, trip_id: str) -> dict[str, str]:
    """How each partner's reservation of the trip stands, where there is one."""
    found = {}
    for partner in PARTNERS:
        async with ground.http.get(f"{ground.partners[partner]}/reservations/{trip_id}") as answer:
            if answer.status == 200:
                found[partner] = (await answer.json())["status"]
    return found


@pytest.mark.parametrize("contestant", CONTESTANTS, ids=lambda one: one.name)
async def test_a_trip_is_confirmed_by_ten_calls(ground: Ground, contestant: Contestant) -> None:
    turn, load = Turn(ground, contestant, seconds=0.5), Load("confirmed")
    figures = await measure.counted(turn, load, turn.booking(), trips=2, in_flight=2)
    assert (len(load.trips), load.wrong) == (2, [])
    made = 0 if contestant.name == "bare" else 10
    assert await failing.calls_of(ground, load.trips, PARTNERS) == made
    wanted = dict.fromkeys(PARTNERS, "confirmed") if made else {}
    assert await statuses(ground, load.trips[0]) == wanted
    assert figures.get("actions") == ACTIONS.get(contestant.name, figures.get("actions"))
    assert figures["cpu_ms_own"] > 0 or contestant.name == "plain"


@pytest.mark.parametrize("contestant", SAGAS, ids=lambda one: one.name)
async def test_a_declined_trip_is_undone(ground: Ground, contestant: Contestant) -> None:
    turn, load = Turn(ground, contestant, seconds=0.5), Load("failed")
    await count(turn.booking("tok_declined"), load, trips=1, in_flight=1)
    assert load.wrong == []
    assert set((await statuses(ground, load.trips[0])).values()) == {"released"}


async def test_what_did_not_end_as_it_had_to_is_named(ground: Ground) -> None:
    turn, load = Turn(ground, CONTESTANTS[0], seconds=0.5), Load("confirmed")
    await count(turn.booking("tok_declined"), load, trips=1, in_flight=1)
    assert load.trips == []
    assert load.wrong[0].endswith("ended failed")


async def test_an_open_breaker_keeps_the_textbook_out_of_the_sick_partner(ground: Ground) -> None:
    textbook = next(one for one in CONTESTANTS if one.name == "textbook")
    scenario = replace(SCENARIOS["kept_out"], trips=2)
    figures, wrong = await failing.measured(Turn(ground, textbook, 0.5), scenario)
    assert wrong == []
    assert figures["calls"] == 4, "two holds, and their releases"
