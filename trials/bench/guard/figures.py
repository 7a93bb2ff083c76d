"""The arithmetic of the measurements. Pure; times are in seconds."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple

from scipy.stats import kstest

from guard.backoff import BackoffPolicy, Jitter, bound


class Fit(NamedTuple):
    """How well delays fit the uniform distribution that was asked for: Kolmogorov and Smirnov's test."""

    statistic: float
    p: float


def delays(at: Sequence[float]) -> list[float]:
    """From each call to the next, oldest first."""
    return [later - earlier for earlier, later in pairwise(at)]


def fit(policy: BackoffPolicy, measured: Sequence[Sequence[float]]) -> Fit:
    """The fit of `measured`, the delays of each call in turn, as shares of their bounds.

    Full jitter asks for shares that are uniform on [0, 1], equal jitter for [1/2, 1].
    """
    low = 0.5 if policy.jitter is Jitter.EQUAL else 0.0
    shares = [one / bound(policy, attempt) for call in measured for attempt, one in enumerate(call)]
    tested = kstest(shares, "uniform", args=(low, 1 - low))
    return Fit(float(tested.statistic), float(tested.pvalue))


def busiest(at: Sequence[float], start: float, end: float, window_s: float) -> int:
    """The largest number of moments in any stretch of `window_s` that begins within [start, end)."""
    ordered = sorted(at)
    most, last = 0, 0
    for first, moment in enumerate(ordered):
        while last < len(ordered) and ordered[last] < moment + window_s:
            last += 1
        if start <= moment < end:
            most = max(most, last - first)
    return most


def between(at: Sequence[float], start: float, end: float) -> int:
    """How many of the moments are within [start, end)."""
    return sum(start <= moment < end for moment in at)


def median(values: Sequence[float]) -> float:
    """The middle value, the upper one of two."""
    return sorted(values)[len(values) // 2]


def mean(values: Sequence[float]) -> float:
    """The mean; 0 of none."""
    return fmean(values) if values else 0.0
