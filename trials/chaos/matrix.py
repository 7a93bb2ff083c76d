"""The crash matrix: every process dies at every moment of every step, and the trip ends whole or undone."""

import asyncio
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from trials.chaos.client import Away, Client
from trials.chaos.moments import TEMPORAL, Missed, Moment, Placed, bring, check, freeze
from trials.chaos.verdict import faults_of, final, under_way
from trials.polling import until
from trials.report import table
from trip.partner import Partner

TRIES = 4
END_LIMIT_S = 60.0
MAX_ATTEMPTS = 5


class Process(StrEnum):
    WORKER = "worker"
    PARTNER = "partner"
    POSTGRES = "postgres"
    TEMPORAL = "temporal"


@dataclass(frozen=True)
class Cell:
    process: Process
    moment: Moment
    step: Partner


@dataclass(frozen=True)
class Outcome:
    """What came of a cell: how its trip ended, after how long, and what is wrong with it."""

    cell: Cell
    trip_id: str
    status: str
    took_s: float
    wrong: tuple[str, ...]


def groups() -> list[list[Cell]]:
    """All cells; those of a group share one kill. The payment comes first: its cancel is heard late."""
    steps = list(reversed(Partner))
    return [[Cell(process, moment, step) for step in steps] for process in Process for moment in Moment]


def quick_groups() -> list[list[Cell]]:
    """Every process at every moment, once each: the moments of a process are those of different steps."""
    steps, found = list(Partner), []
    # The one whose trip stands still for the shortest time comes last.
    moments = [Moment.COMPENSATING, Moment.BEFORE_EFFECT, Moment.AFTER_EFFECT, Moment.AFTER_REPLY]
    for turn, process in enumerate(Process):
        numbered = enumerate(moments, start=turn)
        found.append([Cell(process, moment, steps[place % len(steps)]) for place, moment in numbered])
    return found


async def run_all(client: Client, workers: int) -> list[Outcome]:
    return [outcome for cells in groups() for outcome in await run_group(client, cells, workers)]


async def run_group(client: Client, cells: Sequence[Cell], workers: int) -> list[Outcome]:
    """Bring a trip to each cell's moment, kill, and judge how the trips end. Raises Missed after TRIES."""
    placed = await _placed(client, cells)
    try:
        _kill(client, cells, workers)
    finally:
        client.world.signal(TEMPORAL, signal.SIGCONT)
    started = time.monotonic()
    judging = (_judged(client, cell, one, started) for cell, one in zip(cells, placed, strict=True))
    return list(await asyncio.gather(*judging))


async def _placed(client: Client, cells: Sequence[Cell]) -> list[Placed]:
    for _ in range(TRIES - 1):
        await ready(client)
        try:
            return await _at_their_moments(client, cells)
        except Missed:
            await mend(client)
    return await _at_their_moments(client, cells)


async def _at_their_moments(client: Client, cells: Sequence[Cell]) -> list[Placed]:
    placed = [await bring(client, cell.step, cell.moment) for cell in cells]
    late = [one for one in placed if one.moment is Moment.AFTER_REPLY]
    standing = [one for one in placed if one not in late]
    try:
        if late:
            await freeze(client, late)
        for one in standing:
            await check(client, one)
    except Missed:
        client.world.signal(TEMPORAL, signal.SIGCONT)
        raise
    return placed


def _kill(client: Client, cells: Sequence[Cell], workers: int) -> None:
    for cell in cells:
        match cell.process:
            case Process.WORKER:
                names = [f"worker-{number}" for number in range(1, workers + 1)]
            case Process.PARTNER:
                names = [cell.step.value]
            case _:
                names = [cell.process.value]
        for name in names:
            client.world.kill(name)


async def _judged(client: Client, cell: Cell, placed: Placed, started: float) -> Outcome:
    trip = await final(client, placed.trip_id, END_LIMIT_S)
    took_s = time.monotonic() - started
    wrong = await faults_of(client, trip, placed.may_end)
    attempts = next(step["attempts"] for step in trip["steps"] if step["name"] == cell.step)
    if not 1 <= attempts <= MAX_ATTEMPTS:
        wrong.append(f"{cell.step} was held {attempts} times")
    return Outcome(cell, placed.trip_id, trip["status"], took_s, tuple(wrong))


async def ready(client: Client) -> None:
    """Returns when the front door takes trips, and all that they need answers."""

    async def answers() -> bool:
        try:
            status, answer = await client.call("GET", "/dependencies")
            return status == 200 and answer["status"] == "ok"
        except Away:
            return False

    await until(answers, END_LIMIT_S)


async def mend(client: Client) -> None:
    """End the faults that were meant for a trip that missed its moment, and let all trips end."""
    for partner in Partner:
        await client.lab("DELETE", partner.value, "/lab/faults")

    async def at_rest() -> bool:
        return not await under_way(client)

    await until(at_rest, END_LIMIT_S)


def shown(outcomes: Sequence[Outcome]) -> str:
    found = {one.cell: one for one in outcomes}
    rows = (
        (process.value, moment.value, *(_shown(found[Cell(process, moment, step)]) for step in Partner))
        for process in Process
        for moment in Moment
    )
    return table(("process", "moment", *Partner), rows)


def _shown(outcome: Outcome) -> str:
    return f"{'WRONG' if outcome.wrong else outcome.status} {outcome.took_s:.1f} s"
