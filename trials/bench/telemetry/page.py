"""Figures, logs and traces, each beside a system without, in pairs of rounds on one machine."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial

import aiohttp

from serving.beside import beside
from stack.parts import Part
from stack.system import ROOT
from trials.bench.bench import Bench, wrong
from trials.bench.contest.contestants import CONTESTANTS, ORCHESTRATED, SETTINGS, Arena
from trials.bench.contest.measure import Turn
from trials.load import WARM_UP_IN_FLIGHT, WARM_UP_TRIPS, Load, closed, count
from trials.receiver import receiving
from trials.report import Bar, Column, Results, bar_table, figure_table, measured_on
from trials.statistics import Estimate, Figures, ratio, spread
from trials.world import Stage, World, fresh_ground, running_module
from trip.partner import Partner

SCRAPE_S = 5.0
MOST_RATIO = 1.03
CONTESTANT = next(one for one in CONTESTANTS if one.name == ORCHESTRATED)
COLUMNS = tuple(
    Column(heading, f"cpu_ms_{group}", 1)
    for heading, group in (
        ("Temporal", "temporal"), ("worker", "worker"), ("API", "api"), ("PostgreSQL", "postgres"),
        ("together", "own"),
    )
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """Rounds, and the seconds and the trips in flight of each."""

    rounds: int = 10
    seconds: float = 4.0
    in_flight: int = 20


@contextlib.asynccontextmanager
async def quiet() -> AsyncIterator[Arena]:
    """Nothing is counted, logged or traced."""

    def arrange(_stage: Stage, parts: list[Part]) -> list[Part]:
        return [
            running_module(part, "trials.bench.telemetry.without") if part.name == "worker-1" else part
            for part in parts
        ]

    async with fresh_ground(SETTINGS | {"TRIPS_LOG_LEVEL": "CRITICAL"}, arrange=arrange) as ground:
        yield Arena(ground, {})


@contextlib.asynccontextmanager
async def counting() -> AsyncIterator[Arena]:
    """As it is by default, and scraped."""
    async with fresh_ground(SETTINGS) as ground, scraping(ground.world):
        yield Arena(ground, {})


@contextlib.asynccontextmanager
async def tracing() -> AsyncIterator[Arena]:
    """Each trip is traced, too."""
    with receiving() as receiver:
        async with (
            fresh_ground(SETTINGS | receiver.environment()) as ground,
            scraping(ground.world),
        ):
            yield Arena(ground, {})


@contextlib.asynccontextmanager
async def scraping(world: World) -> AsyncIterator[None]:
    async def scrape() -> None:
        async with aiohttp.ClientSession() as http:
            while True:
                for name in ("api", "worker-1", "trips"):
                    async with http.get(world.metrics[name]) as answer:
                        await answer.read()
                await asyncio.sleep(SCRAPE_S)

    async with beside(scrape()):
        yield


Opened = Callable[[], contextlib.AbstractAsyncContextManager[Arena]]


async def paired(before: Opened, after: Opened, plan: Plan) -> Results:
    """Rounds of both in turn, both up all the time."""
    rounds: dict[str, list[Figures]] = {"before": [], "after": []}
    bad: list[str] = []
    async with before() as one, after() as other:
        arenas = {"before": one, "after": other}
        for arena in arenas.values():
            for partner in Partner:
                await arena.ground.traveller.override_breaker(partner.value, "closed")
            booking = Turn(arena, CONTESTANT, plan.seconds).booking()
            await count(booking, Load(), 3 * WARM_UP_TRIPS, WARM_UP_IN_FLIGHT)
        for number in range(plan.rounds):
            for name in sorted(arenas, reverse=number % 2 == 0):  # neither always comes first
                turn, load = Turn(arenas[name], CONTESTANT, plan.seconds), Load()
                rounds[name].append(
                    await turn.metered(load, closed(turn.booking(), load, plan.in_flight, plan.seconds))
                )
                bad += load.wrong
            print(
                ", ".join(f"{name} {found[-1]['cpu_ms_own']:.1f}" for name, found in rounds.items()),
                flush=True,
            )
    return {"rounds": rounds, "wrong": bad}


def ratio_of(part: Results) -> Estimate:
    """CPU a trip after, beside before."""
    before, after = ([one["cpu_ms_own"] for one in part["rounds"][name]] for name in ("before", "after"))
    return ratio(before, after)


TITLES = {
    "figures": {"before": "nothing counted or logged", "after": "figures, scraped every 5 s, and logs"},
    "traces": {"before": "figures and logs", "after": "every trip traced, too"},
}


def bars(results: Results) -> list[Bar]:
    """Missed only if the interval lies above the bar: a busy machine scatters more than that."""
    found = [Bar("trips that were not confirmed", len(wrong(results)), 0)]
    if part := results.get("figures"):
        found.append(Bar("CPU a trip with figures and logs, beside none", ratio_of(part).low, MOST_RATIO))
    return found


def tables(results: Results) -> dict[str, str]:
    about = list(results.values())[-1]["about"]
    found = {
        "run": f"{measured_on(about)} Load average at the start: {about['load']:.1f}.",
        "bars": bar_table(bars(results)),
    }
    for name, part in results.items():
        rows = {title: spread(part["rounds"][key]) for key, title in TITLES[name].items()}
        one = ratio_of(part)
        found[name] = (
            f"{figure_table(rows, COLUMNS)}\n\n"
            f"CPU a trip beside the first row, {part['about']['rounds']} rounds: {one.value:.3f} "
            f"({one.low:.3f} to {one.high:.3f}), with 95% confidence."
        )
    return found


TELEMETRY = Bench(
    name="telemetry",
    about="what figures, logs and traces cost a trip",
    page=ROOT / "docs" / "telemetry.md",
    plan=Plan(),
    quick=Plan(rounds=2, seconds=1.5, in_flight=5),
    parts={"figures": partial(paired, quiet, counting), "traces": partial(paired, counting, tracing)},
    tables=tables,
    bars=bars,
)
