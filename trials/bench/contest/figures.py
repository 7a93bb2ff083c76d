"""The arithmetic of the contest. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import NamedTuple

Figures = dict[str, float]
"""What one turn gave, by the figure's name."""


class Spread(NamedTuple):
    """A figure over all rounds."""

    median: float
    low: float
    high: float


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of all are not above: the nearest rank.

    Raises ValueError where there are none.
    """
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def spread(rounds: Iterable[Mapping[str, float]]) -> dict[str, Spread]:
    """Every figure that any round has, over the rounds that have it."""
    values: dict[str, list[float]] = {}
    for figures in rounds:
        for name, value in figures.items():
            values.setdefault(name, []).append(value)
    return {name: Spread(median(found), min(found), max(found)) for name, found in values.items()}
