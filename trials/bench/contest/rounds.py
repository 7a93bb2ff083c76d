"""All contestants in turn, round after round: trips that are confirmed, then trips that fail."""

from dataclasses import dataclass
from typing import Any

from trials.bench.contest import failing, measure
from trials.bench.contest.contestants import CONTESTANTS, TAKING_PART, Arena, Contestant, fresh_arena
from trials.bench.contest.measure import Turn
from trials.load import WARM_UP_IN_FLIGHT, WARM_UP_TRIPS, Load, count
from trials.report import Results


@dataclass(frozen=True)
class Plan:
    """`seconds` is the length of a phase.

    `ladder` has the numbers of trips in flight to choose from; each is tried twice, for `ladder_s` seconds.
    """

    rounds: int = 5
    failing_rounds: int = 3
    seconds: float = 4.0
    ladder_s: float = 2.0
    ladder: tuple[int, ...] = (10, 30, 60)


QUICK = Plan(rounds=1, failing_rounds=1, seconds=2.0, ladder_s=1.0, ladder=(10,))


async def contest(plan: Plan) -> Results:
    """Figures by round of each contestant, and of each scenario of failing trips."""
    async with fresh_arena() as arena:
        results: Results = {
            "in_flight": {one.name: await _warmed_up(arena, one, plan) for one in TAKING_PART},
            "rounds": {one.name: [] for one in TAKING_PART},
            "failing": {scenario.name: {} for scenario in failing.SCENARIOS},
            "left_out": {one.title: one.left_out for one in CONTESTANTS if one.left_out},
            "wrong": [],
        }
        for number in range(plan.rounds):
            for one in _in_turn(number):
                in_flight = results["in_flight"][one.name]
                measured = await measure.measured(Turn(arena, one, plan.seconds), in_flight)
                _note(results, results["rounds"][one.name], f"round {number + 1} {one.name}", *measured)
        for number in range(plan.failing_rounds):
            await _fail_all(arena, results, number)
    return results


async def _warmed_up(arena: Arena, contestant: Contestant, plan: Plan) -> int:
    """How many trips in flight the contestant is measured with."""
    turn = Turn(arena, contestant, plan.ladder_s)
    await count(turn.booking(), Load(), WARM_UP_TRIPS, WARM_UP_IN_FLIGHT)
    in_flight = plan.ladder[0]
    if len(plan.ladder) > 1:
        in_flight = await measure.in_flight_for(turn, plan.ladder)
    print(f"{contestant.title}: {in_flight} in flight", flush=True)
    return in_flight


async def _fail_all(arena: Arena, results: Results, number: int) -> None:
    for scenario in failing.SCENARIOS:
        for one in filter(scenario.is_for, _in_turn(number)):
            measured = await failing.measured(Turn(arena, one, 0.0), scenario)
            rows = results["failing"][scenario.name].setdefault(one.name, [])
            _note(results, rows, f"{scenario.name} {number + 1} {one.name}", *measured)


def _in_turn(number: int) -> list[Contestant]:
    """Each round begins with another contestant, so that none always follows the same."""
    first = number % len(TAKING_PART)
    return [*TAKING_PART[first:], *TAKING_PART[:first]]


def _note(results: Results, rows: list[Any], what: str, figures: dict[str, float], wrong: list[str]) -> None:
    rows.append(figures)
    results["wrong"] += wrong
    shown = ("trips_per_s", "cpu_ms_own", "actions", "alone_p50_ms", "high_p99_ms", "all_p50_ms")
    values = ", ".join(f"{name} {figures[name]:.1f}" for name in shown if name in figures)
    print(f"{what:22} {values}", flush=True)
