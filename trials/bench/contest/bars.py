"""The bars that the figures are held against. Pure: it reads the results alone."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from trials.bench.contest.figures import Figures

Results = Mapping[str, Any]
"""What `contest.contest` gives, and `results/contest.json` holds."""


class Bar(NamedTuple):
    """A figure, and what it must be at most, or with `at_least` at least."""

    text: str
    figure: float
    limit: float
    at_least: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the figure keeps to the limit."""
        return self.figure >= self.limit if self.at_least else self.figure <= self.limit


def judged(results: Results) -> list[Bar]:
    """Every bar. Ratios are of the same round, and the median of those; actions are rounded to a tenth."""
    rounds = results["rounds"]
    ours, textbook, bare, dbos = (rounds[name] for name in ("trips", "textbook", "bare", "dbos"))
    own_calls_ms = _median(rounds["plain"], "alone_p50_ms")
    return [
        Bar("trips a second, beside the textbook's", _ratio(ours, textbook, "trips_per_s"), 3, at_least=True),
        Bar("trips a second, beside DBOS's", _ratio(ours, dbos, "trips_per_s"), 1, at_least=True),
        Bar("CPU a trip, beside the textbook's", _ratio(ours, textbook, "cpu_ms_own"), 1 / 3),
        Bar("Temporal, worker and API, beside the bare workflow's", _ratio(ours, bare, "cpu_ms_engine"), 0.9),
        Bar("billable actions of a confirmed trip", round(_median(ours, "actions"), 1), 4),
        Bar("billable actions of a declined trip", round(_declined_actions(results), 1), 12),
        Bar(
            "one trip at a time, p50 in ms; 1.5 times the ten calls' own and 60 ms",
            _median(ours, "alone_p50_ms"),
            1.5 * own_calls_ms + 60,
        ),
    ]


def _declined_actions(results: Results) -> float:
    return _median(results["failing"]["declined"]["trips"], "actions")


def _median(rounds: Sequence[Figures], name: str) -> float:
    return median(figures[name] for figures in rounds)


def _ratio(ours: Sequence[Figures], theirs: Sequence[Figures], name: str) -> float:
    return median(our[name] / their[name] for our, their in zip(ours, theirs, strict=True))
