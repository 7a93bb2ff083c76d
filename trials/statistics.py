"""The arithmetic of the trials. Pure; times are in seconds unless a name says otherwise."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import fmean, linear_regression, median, pvariance, stdev
from typing import NamedTuple

import scipy

from guard.backoff import BackoffPolicy, Jitter, bound

CONFIDENCE = 0.95
BLOCKS = 10
WARM_UP_SHARE = 0.2

Figures = dict[str, float]
"""What a phase gave, by the figure's name."""


class Spread(NamedTuple):
    """A figure over all rounds."""

    median: float
    low: float
    high: float


class Estimate(NamedTuple):
    """A figure, and its interval of 95% confidence."""

    value: float
    low: float
    high: float


class Fit(NamedTuple):
    """The Kolmogorov–Smirnov test of delays against the distribution that was asked for."""

    statistic: float
    p: float


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank: the smallest value that at least `share` (0 to 1) of all do not exceed.

    Raises ValueError if there are no values.
    """
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def percentiles(name: str, values: Sequence[float], unit: str, scale: float = 1) -> Figures:
    """`NAME_p50_UNIT`, `NAME_p99_UNIT` and `NAME_max_UNIT`; nothing if there are no values."""
    shares = {"p50": 0.5, "p99": 0.99, "max": 1.0} if values else {}
    return {f"{name}_{label}_{unit}": scale * percentile(values, share) for label, share in shares.items()}


def spread(rounds: Iterable[Mapping[str, float]]) -> dict[str, Spread]:
    values: dict[str, list[float]] = {}
    for figures in rounds:
        for name, value in figures.items():
            values.setdefault(name, []).append(value)
    return {name: Spread(median(found), min(found), max(found)) for name, found in values.items()}


def slope(xs: Sequence[float], ys: Sequence[float]) -> Estimate:
    """How much `ys` grows for each 1 of `xs`, which ascends, once the first fifth of its range is over.

    Neighbouring samples depend on each other. So the rest is cut into ten blocks, and the line goes through
    their medians. The interval is Student's. Raises ValueError if fewer than ten samples are left.
    """
    warm = xs[0] + WARM_UP_SHARE * (xs[-1] - xs[0]) if xs else 0.0
    rest = [(x, y) for x, y in zip(xs, ys, strict=True) if x >= warm]
    if len(rest) < BLOCKS:
        raise ValueError(f"{len(rest)} samples after the warm-up; at least {BLOCKS} are needed")
    edges = [len(rest) * number // BLOCKS for number in range(BLOCKS + 1)]
    blocks = [rest[start:end] for start, end in pairwise(edges)]
    at, found = zip(*([median(side) for side in zip(*block, strict=True)] for block in blocks), strict=True)
    line = linear_regression(at, found)
    squares = sum((y - line.slope * x - line.intercept) ** 2 for x, y in zip(at, found, strict=True))
    error = math.sqrt(squares / (BLOCKS - 2) / (BLOCKS * pvariance(at)))
    reach = float(scipy.stats.t.ppf((1 + CONFIDENCE) / 2, BLOCKS - 2)) * error
    return Estimate(line.slope, line.slope - reach, line.slope + reach)


def ratio(before: Sequence[float], after: Sequence[float]) -> Estimate:
    """`after` beside `before`, round by round: the mean of the ratios, and Student's interval."""
    ratios = [later / earlier for earlier, later in zip(before, after, strict=True)]
    mean, number = fmean(ratios), len(ratios)
    if number == 1:
        return Estimate(mean, -math.inf, math.inf)
    error = stdev(ratios) / math.sqrt(number)
    reach = float(scipy.stats.t.ppf((1 + CONFIDENCE) / 2, number - 1)) * error
    return Estimate(mean, mean - reach, mean + reach)


def fit(policy: BackoffPolicy, delays: Sequence[Sequence[float]]) -> Fit:
    """How well the delays of each call, as shares of their bounds, fit the jitter that was asked for."""
    low = 0.5 if policy.jitter is Jitter.EQUAL else 0.0
    shares = [one / bound(policy, attempt) for call in delays for attempt, one in enumerate(call)]
    tested = scipy.stats.kstest(shares, "uniform", args=(low, 1 - low))
    return Fit(float(tested.statistic), float(tested.pvalue))


def between(at: Iterable[float], start: float, end: float) -> int:
    """How many of the moments are within [start, end)."""
    return sum(start <= moment < end for moment in at)


def busiest(at: Sequence[float], start: float, end: float, window_s: float) -> int:
    """The most moments in any stretch of `window_s` that begins at a moment within [start, end)."""
    begins = [moment for moment in at if start <= moment < end]
    return max((between(at, moment, moment + window_s) for moment in begins), default=0)
