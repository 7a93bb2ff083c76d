"""The arithmetic of growth. Pure."""

import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import exp, log, sqrt
from statistics import fmean, linear_regression, median, pvariance, stdev
from typing import NamedTuple

from scipy.stats import t

from trials.bench.contest.figures import percentile

CONFIDENCE = 0.95
BLOCKS = 10
WARM_UP_SHARE = 0.2
RESAMPLES = 1000
SEED = 1


class Estimate(NamedTuple):
    """A figure, and the interval in which it is with 95% confidence."""

    value: float
    low: float
    high: float


def slope(xs: Sequence[float], ys: Sequence[float]) -> Estimate:
    """How much `ys` grows for each 1 of `xs`, which ascends, once the first fifth of its range is over.

    The rest is cut into ten blocks of as many samples each, and the line goes through the medians of these:
    neighbouring samples depend on each other, blocks hardly. The interval is Student's, of eight degrees
    of freedom. Raises ValueError where there are fewer than ten samples after the warm-up.
    """
    warm = xs[0] + WARM_UP_SHARE * (xs[-1] - xs[0]) if xs else 0.0
    rest = [(x, y) for x, y in zip(xs, ys, strict=True) if x >= warm]
    if len(rest) < BLOCKS:
        raise ValueError(f"{len(rest)} samples after the warm-up; at least {BLOCKS} are needed")
    edges = [len(rest) * number // BLOCKS for number in range(BLOCKS + 1)]
    blocks = [rest[start:end] for start, end in pairwise(edges)]
    at = [median(x for x, _ in block) for block in blocks]
    found = [median(y for _, y in block) for block in blocks]
    line = linear_regression(at, found)
    left = [y - line.slope * x - line.intercept for x, y in zip(at, found, strict=True)]
    error = sqrt(sum(one * one for one in left) / (BLOCKS - 2) / (BLOCKS * pvariance(at)))
    reach = _student(BLOCKS - 2) * error
    return Estimate(line.slope, line.slope - reach, line.slope + reach)


def swapped_ratio(ours: Sequence[float], theirs: Sequence[float]) -> Estimate:
    """One figure beside another of the same round, where the sides are exchanged between rounds.

    The geometric mean, in which what one side has over the other cancels out; the interval is Student's, of
    the means of two rounds each. Raises ValueError where the rounds are not even in number, or fewer than 4.
    """
    if len(ours) % 2 or len(ours) < 4:
        raise ValueError(f"{len(ours)} rounds; an even number of them is needed, 4 or more")
    logs = [log(one / other) for one, other in zip(ours, theirs, strict=True)]
    pairs = [fmean(pair) for pair in zip(logs[::2], logs[1::2], strict=True)]
    middle, reach = fmean(pairs), _student(len(pairs) - 1) * stdev(pairs) / sqrt(len(pairs))
    return Estimate(*(exp(one) for one in (middle, middle - reach, middle + reach)))


def percentile_ratio(
    ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]], share: float
) -> Estimate:
    """The percentile of all values of `ours`, by round, beside that of `theirs`.

    The interval is that of a bootstrap over the rounds, which keeps those of one round together.
    """
    rng = random.Random(SEED)
    rounds = list(zip(ours, theirs, strict=True))
    drawn = sorted(
        _ratio_of(rng.choices(rounds, k=len(rounds)), lambda values: percentile(values, share))
        for _ in range(RESAMPLES)
    )
    found = _ratio_of(rounds, lambda values: percentile(values, share))
    outside = (1 - CONFIDENCE) / 2
    return Estimate(found, percentile(drawn, outside), percentile(drawn, 1 - outside))


def _ratio_of(
    rounds: Sequence[tuple[Sequence[float], Sequence[float]]], figure: Callable[[list[float]], float]
) -> float:
    ours, theirs = ([value for one in side for value in one] for side in zip(*rounds, strict=True))
    return figure(ours) / figure(theirs)


def _student(degrees: int) -> float:
    return float(t.ppf((1 + CONFIDENCE) / 2, degrees))
