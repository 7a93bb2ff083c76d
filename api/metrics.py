"""The front door's figures for Prometheus."""

from collections.abc import Iterator

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, PROCESS_COLLECTOR, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.door import OpenDoor
from guard.models import Breaker
from guard.policy import State
from guard.store import Store
from record import trips
from serving.problems import documented
from trip.partner import Partner
from trip.trip import FINAL_STATUSES, TripStatus

router = APIRouter(tags=["health"])


class _Figures(Collector):
    """What one scrape read of the record and the breakers."""

    def __init__(self, counts: dict[str, int], breakers: list[Breaker], backlog: int, streams: int) -> None:
        self._counts = counts
        self._breakers = breakers
        self._backlog = backlog
        self._streams = streams

    def collect(self) -> Iterator[Metric]:
        under_way = GaugeMetricFamily("trips_under_way", "Trips that have not ended.", labels=["status"])
        for status in TripStatus:
            if status not in FINAL_STATUSES:
                under_way.add_metric([status.value], self._counts.get(status.value, 0))
        yield under_way
        yield GaugeMetricFamily("trips_backlog", "Trips accepted and not yet started.", value=self._backlog)
        yield GaugeMetricFamily("trips_event_streams", "Event streams that are open.", value=self._streams)
        state = GaugeMetricFamily(
            "trips_breaker_state", "1 for a breaker's state.", labels=["partner", "state"]
        )
        for breaker in self._breakers:
            for one in State:
                state.add_metric([breaker.partner, one.value], breaker.state is one)
        yield state


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, **documented(record_unavailable=503)},
)
async def get_metrics(door: OpenDoor) -> Response:
    """Trips under way, the backlog, open streams, the breakers, and the process, as Prometheus text."""
    counts = await trips.count_by_status(door.pool)
    breakers = await Store(door.pool, door.settings.breaker_policy()).list_breakers(list(Partner))
    backlog = await trips.backlog_size(door.pool, door.settings.backlog)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(counts, breakers, backlog, door.streams.taken))
    registry.register(PROCESS_COLLECTOR)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
