"""Trips that fail: what the failure costs until the traveller is told and everything is undone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from trials.bench.contest import server
from trials.bench.contest.contestants import Contestant
from trials.bench.contest.measure import Turn, counted
from trials.load import Load
from trials.orders import PARTNERS, STAYS, Json
from trials.polling import until
from trials.statistics import Figures
from trials.traveller import Traveller

SICK = STAYS[-1]
SETTLE_LIMIT_S = 30.0


@dataclass(frozen=True)
class Scenario:
    """A fault, and how the sick partner's breaker is held; a peer without breakers does not notice that.

    `sick_calls`: how many calls a trip makes to that partner once the contestant knows of the fault.
    """

    name: str
    trips: int
    in_flight: int
    card_token: str = "tok_visa"  # noqa: S105 - the sample data's card
    faults: Json = field(default_factory=dict)
    breaker: str = "closed"
    sick_calls: range = range(1, 100)

    def is_for(self, contestant: Contestant) -> bool:
        return contestant.is_saga and (self.breaker == "closed" or contestant.has_breaker)


SCENARIOS = (
    Scenario("declined", 24, 4, card_token="tok_declined"),  # noqa: S106
    Scenario(
        "retried", 20, 20, faults={"error_rate": 1, "status": 503, "verbs": ["PUT"]}, sick_calls=range(5, 100)
    ),
    Scenario("kept_out", 24, 4, faults={"down": True}, breaker="open", sick_calls=range(1)),
)


async def measured(turn: Turn, scenario: Scenario) -> tuple[Figures, list[str]]:
    """The figures of a scenario's trips, and the trips that did not end `failed`."""
    traveller, load = turn.arena.ground.traveller, Load("failed")
    await traveller.override_breaker(SICK, scenario.breaker)
    if scenario.faults:
        await traveller.break_partner(SICK, **scenario.faults)
    try:
        await _known(turn, scenario)
        book = turn.booking(scenario.card_token)
        figures = await counted(turn, load, book, scenario.trips, scenario.in_flight)
    finally:
        await traveller.mend_partner(SICK)
        # The failures that it saw may open it.
        await traveller.override_breaker(SICK, "closed")
    figures["calls"] = await calls_of(traveller, load.trips, PARTNERS)
    if turn.contestant.is_on_temporal:
        figures |= await server.histories(turn.arena.ground, load.trips)
    return figures, load.wrong


async def _known(turn: Turn, scenario: Scenario) -> None:
    """Book until a trip shows that the contestant goes by the scenario. Raises TimeoutError."""

    async def goes_by_it() -> bool:
        trip = await turn.booking(scenario.card_token)()
        calls = await calls_of(turn.arena.ground.traveller, [trip.trip_id], [SICK])
        return trip.status == "failed" and calls in scenario.sick_calls

    await until(goes_by_it, SETTLE_LIMIT_S)


async def calls_of(traveller: Traveller, trips: Sequence[str], partners: Iterable[str]) -> float:
    received = [len(await traveller.calls(partner, trip_id)) for partner in partners for trip_id in trips]
    return sum(received) / max(1, len(trips))
