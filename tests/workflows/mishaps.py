"""Which mishaps are tried, and what is wrong after each of them."""

import itertools
from collections.abc import Callable, Iterable, Iterator

from tests.workflows.behaviours import BEHAVIOURS
from tests.workflows.machine import CANCEL, LATE, NEXT_DEFAULT, TAKEN_OVER, TEMPORAL_CANCEL
from tests.workflows.search import ALL, WAITING, Ended, Mishap, carried_out, faults, reset

MESSAGES = (None, CANCEL, LATE, TAKEN_OVER)
GOING_ON = ((1, ALL), (WAITING, ALL), (ALL, ALL))
"""When a lost run goes on beside the next one, and for how many local activities."""

WAYS = [(name, 0) for name in BEHAVIOURS] + [
    (name, 1) for name in ("well", "expires amid confirmations", "a release is stuck")
]
"""A behaviour of the partners, and how often the record is away when it is asked first."""


def losses(whole: Ended) -> Iterator[Mishap]:
    """A loss at every point, each with every message."""
    for lost_after, then in itertools.product(range(whole.local_activities + 1), MESSAGES):
        yield Mishap(lost_after, then)


def stale_runs(whole: Ended) -> Iterator[Mishap]:
    """A loss at every point, and a lost run that goes on beside the next one, or beside a take-over."""
    points = range(whole.local_activities + 1)
    for lost_after, then, (at, steps) in itertools.product(points, (TEMPORAL_CANCEL, TAKEN_OVER), GOING_ON):
        yield Mishap(lost_after, then, at, steps)


def cancels(whole: Ended) -> Iterator[Mishap]:
    """Temporal's own cancel at every point, with the SDK's next default and without it."""
    for flags, task in itertools.product(((), NEXT_DEFAULT), range(len(whole.server.tasks))):
        yield Mishap(cancelled_with=task, flags=flags)
    for lost_after in range(whole.local_activities + 1):
        yield Mishap(lost_after, TEMPORAL_CANCEL, flags=NEXT_DEFAULT)


def found(name: str, away: int, *kinds: Callable[[Ended], Iterable[Mishap]]) -> Iterator[str]:
    """The faults after any mishap of these kinds, first those without one."""
    whole = carried_out(BEHAVIOURS[name], Mishap(), away)
    yield from faults(whole)
    for mishap in itertools.chain.from_iterable(kind(whole) for kind in kinds):
        ended = carried_out(BEHAVIOURS[name], mishap, away)
        yield from (f"{mishap}: {fault} after {ended.server.world.calls}" for fault in faults(ended))


def found_after_reset(name: str, away: int) -> list[str]:
    """The faults after a reset to any task of the trip's history."""
    wrong = []
    tasks = len(carried_out(BEHAVIOURS[name], Mishap(), away).server.tasks)
    for task, then in itertools.product(range(tasks), (None, LATE)):
        again = reset(carried_out(BEHAVIOURS[name], Mishap(), away), task, then)
        wrong += [f"task {task}, {then}: {fault} after {again.server.world.calls}" for fault in faults(again)]
    return wrong
