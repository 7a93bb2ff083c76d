"""What a process tells of the breakers as it sees them, and of the calls that it sent."""

from collections.abc import Iterator
from functools import cache

from prometheus_client import Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from guard.policy import Outcome
from guard.view import Breakers
from serving.figures import FIGURES

_CALLS = Histogram(
    "trips_partner_call_seconds",
    "Calls that this process sent to partners, by what they were to the breaker.",
    ["partner", "outcome"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=FIGURES,
)


def sent(partner: str, outcome: Outcome, duration_s: float) -> None:
    """Count a call that was sent."""
    _calls(partner, outcome).observe(duration_s)


@cache
def _calls(partner: str, outcome: Outcome) -> Histogram:
    """The library takes longer to find the labels than to count."""
    return _CALLS.labels(partner, outcome.value)


class BreakerFigures(Collector):
    """Read when they are asked for."""

    def __init__(self, breakers: Breakers, partners: tuple[str, ...]) -> None:
        self._breakers = breakers
        self._partners = partners

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "trips_breaker_store_away",
            "1: the breakers' store does not answer, and this process decides alone.",
            value=self._breakers.is_local,
        )
        refuses = GaugeMetricFamily(
            "trips_breaker_refuses", "1: this process keeps calls to the partner out.", labels=["partner"]
        )
        for partner in self._partners:
            refuses.add_metric([partner], self._breakers.peek(partner) is not None)
        yield refuses
