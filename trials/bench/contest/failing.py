"""Trips that fail: what the failure costs until the traveller is told and everything is undone."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from trials.bench.contest import server
from trials.bench.contest.figures import Figures
from trials.bench.contest.ground import Ground
from trials.bench.contest.load import Load
from trials.bench.contest.measure import Turn, counted
from trials.bench.contest.orders import Json

SICK = "flight"
SETTLE_LIMIT_S = 30.0


@dataclass(frozen=True)
class Scenario:
    """A fault, and how the sick partner's breaker is held; the breaker of a peer that has none does nothing.

    `sick_calls` is how many calls a trip makes to that partner once all know of it.
    """

    name: str
    trips: int
    in_flight: int
    contestants: tuple[str, ...]
    card_token: str = "tok_visa"  # noqa: S105 - the sample data's card
    faults: Json = field(default_factory=dict)
    breaker: str = "closed"
    sick_calls: range = range(1, 100)


SCENARIOS = (
    Scenario(
        name="declined",
        trips=24,
        in_flight=4,
        contestants=("trips", "textbook", "dbos"),
        card_token="tok_declined",  # noqa: S106
    ),
    Scenario(
        name="retried",
        trips=20,
        in_flight=20,
        contestants=("trips", "textbook", "dbos"),
        faults={"error_rate": 1, "status": 503, "verbs": ["PUT"]},
        sick_calls=range(5, 100),
    ),
    Scenario(
        name="kept_out",
        trips=24,
        in_flight=4,
        contestants=("trips", "textbook"),
        faults={"down": True},
        breaker="open",
        sick_calls=range(1),
    ),
)


async def measured(turn: Turn, scenario: Scenario) -> tuple[Figures, list[str]]:
    """The figures of a scenario's trips, and what was the matter with those that did not end `failed`."""
    await _set(turn.ground, scenario)
    try:
        await _known(turn, scenario)
        load = Load("failed")
        book = turn.booking(scenario.card_token)
        figures = await counted(turn, load, book, scenario.trips, scenario.in_flight)
    finally:
        await _clear(turn.ground)
    figures["calls"] = await calls_of(turn.ground, load.trips, turn.ground.partners)
    if turn.contestant.is_on_temporal:
        figures |= await server.histories(turn.ground, load.trips)
    return figures, load.wrong


async def _known(turn: Turn, scenario: Scenario) -> None:
    """Book until a trip shows that the contestant goes by the scenario. Raises TimeoutError."""
    async with asyncio.timeout(SETTLE_LIMIT_S):
        while True:
            trip = await turn.booking(scenario.card_token)()
            calls = await calls_of(turn.ground, [trip.trip_id], [SICK])
            if trip.status == "failed" and calls in scenario.sick_calls:
                return


async def _set(ground: Ground, scenario: Scenario) -> None:
    await _override(ground, scenario.breaker)
    if scenario.faults:
        async with ground.http.put(f"{ground.partners[SICK]}/lab/faults", json=scenario.faults) as answer:
            answer.raise_for_status()


async def _clear(ground: Ground) -> None:
    async with ground.http.delete(f"{ground.partners[SICK]}/lab/faults") as answer:
        answer.raise_for_status()
    # Held closed, since what it saw may open it.
    await _override(ground, "closed")


async def _override(ground: Ground, override: str) -> None:
    order = {"override": override, "reason": "contest"}
    async with ground.front_door.put(f"{ground.api}/breakers/{SICK}", json=order) as answer:
        answer.raise_for_status()


async def calls_of(ground: Ground, trips: Sequence[str], partners: Iterable[str]) -> float:
    """Calls a trip that the partners received."""
    received = 0
    for partner in partners:
        for trip_id in trips:
            url = f"{ground.partners[partner]}/lab/calls?key={trip_id}"
            async with ground.http.get(url) as answer:
                answer.raise_for_status()
                received += len((await answer.json())["items"])
    return received / max(1, len(trips))
