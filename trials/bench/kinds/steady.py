"""Round after round, each kind at saturation, one trip at a time, and both at the same rate."""

from trials.bench.contest import failing, measure
from trials.bench.contest.measure import Turn, latencies
from trials.bench.kinds.plan import KINDS, Plan, both
from trials.load import Load, at_rate, closed
from trials.report import Results
from trials.statistics import Figures

SHARE = 0.6
"""The same rate is this share of what the slower kind does at saturation."""

FAILING = [scenario for scenario in failing.SCENARIOS if scenario.name in ("declined", "retried")]


async def steady(plan: Plan) -> Results:
    rounds: dict[str, list[Figures]] = {name: [] for name in KINDS}
    wrong: list[str] = []
    async with both() as arena:
        for number in range(plan.rounds):
            order = sorted(KINDS, reverse=number % 2 == 0)  # neither always comes first
            turns = {name: Turn(arena, KINDS[name], plan.seconds) for name in order}
            found = {name: await _at_most(turn, plan.in_flight, wrong) for name, turn in turns.items()}
            per_s = SHARE * min(figures["trips_per_s"] for figures in found.values())
            for name, turn in turns.items():
                load = Load()
                await at_rate(turn.booking(), load, per_s, plan.seconds)
                wrong += load.wrong
                rounds[name].append(found[name] | latencies("same", load))
            print(f"round {number + 1}: {_shown(rounds)}", flush=True)
    return {"rounds": rounds, "wrong": wrong}


async def _at_most(turn: Turn, in_flight: int, wrong: list[str]) -> Figures:
    load, alone = Load(), Load()
    figures = await measure.saturated(turn, load, in_flight)
    await closed(turn.booking(), alone, 1, turn.seconds / 2)
    wrong += load.wrong + alone.wrong
    return figures | latencies("alone", alone)


def _shown(rounds: dict[str, list[Figures]]) -> str:
    names = ("trips_per_s", "cpu_ms_own", "cpu_ms_all", "alone_p50_ms")
    return "; ".join(
        name + " " + ", ".join(f"{figure} {found[-1][figure]:.1f}" for figure in names)
        for name, found in rounds.items()
    )


async def failures(plan: Plan) -> Results:
    """Figures of the trips that fail, by scenario and kind."""
    found: dict[str, dict[str, list[Figures]]] = {one.name: {name: [] for name in KINDS} for one in FAILING}
    wrong: list[str] = []
    async with both() as arena:
        for scenario in FAILING:
            for _ in range(plan.failing_rounds):
                for name, kind in KINDS.items():
                    figures, bad = await failing.measured(Turn(arena, kind, 0), scenario)
                    found[scenario.name][name].append(figures)
                    wrong += bad
    return {"scenarios": found, "wrong": wrong}
