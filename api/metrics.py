"""The front door's figures for Prometheus."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.door import Door
from config.settings import Settings
from guard.models import Breaker
from guard.policy import State
from guard.store import Store
from record import trips
from record.pool import Pool
from serving.figures import as_text
from serving.one_flight import OneFlight
from serving.problems import documented
from temporal.watch import Seen
from trip.order import Coordination
from trip.partner import Partner
from trip.trip import FINAL_STATUSES, TripStatus

router = APIRouter(tags=["health"])

FRESH_S = 1.0

_EVERY_DOOR = " The whole system's figure, which every front door tells: take the greatest, not the sum."


class RecordFigures(Collector):
    """What one scrape read of the record."""

    def __init__(
        self, counts: dict[str, int], breakers: list[Breaker], backlogs: Mapping[Coordination, trips.Backlog]
    ) -> None:
        self._counts = counts
        self._breakers = breakers
        self._backlogs = backlogs

    def collect(self) -> Iterator[Metric]:
        under_way = _whole("trips_record_under_way", "Trips that have not ended.", "status")
        for status in TripStatus:
            if status not in FINAL_STATUSES:
                under_way.add_metric([status.value], self._counts.get(status.value, 0))
        yield under_way
        size = _whole("trips_record_backlog", "Trips accepted and not yet started.", "coordination")
        age = _whole(
            "trips_record_backlog_age_seconds", "How long the oldest of the backlog waits.", "coordination"
        )
        for coordination, backlog in self._backlogs.items():
            size.add_metric([coordination], backlog.size)
            age.add_metric([coordination], backlog.age_s)
        yield from (size, age)
        state = _whole("trips_record_breaker_state", "1 for a breaker's state.", "partner", "state")
        for breaker in self._breakers:
            for one in State:
                state.add_metric([breaker.partner, one.value], breaker.state is one)
        yield state


class TemporalFigures(Collector):
    """What the last look at Temporal found."""

    def __init__(self, seen: Seen, audit_interval_s: float) -> None:
        self._seen = seen
        self._audit_interval_s = audit_interval_s

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "trips_temporal_answers", "1: Temporal answers this front door.", value=self._seen.answers
        )
        pollers = _whole("trips_temporal_pollers", "Workers that poll, by the kind of task.", "kind")
        for kind, count in self._seen.pollers.items():
            pollers.add_metric([kind], count)
        runs = _whole("trips_temporal_schedule_runs", "1: the schedule is there and not paused.", "schedule")
        for schedule, is_running in self._seen.runs.items():
            runs.add_metric([schedule], is_running)
        yield from (pollers, runs, *self._of_audit())

    def _of_audit(self) -> Iterator[Metric]:
        interval = _whole("trips_audit_interval_seconds", "How often an audit is to end.")
        interval.add_metric([], self._audit_interval_s)
        yield interval
        age = _whole("trips_temporal_audit_age_seconds", "Time since an audit ended.")
        if self._seen.audited_at is not None:
            age.add_metric([], (datetime.now(UTC) - self._seen.audited_at).total_seconds())
        clean = _whole("trips_temporal_audit_clean", "1: by the last audit that ended, all stores agree.")
        if self._seen.audit_is_clean is not None:
            clean.add_metric([], self._seen.audit_is_clean)
        yield from (age, clean)


def _whole(name: str, says: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, says + _EVERY_DOOR, labels=labels)


class DoorFigures(Collector):
    """What this front door alone does at the moment."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "trips_event_streams", "Event streams that are open here.", value=self._door.streams.taken
        )
        yield GaugeMetricFamily("trips_waits", "Callers that wait for a trip.", value=self._door.waits.taken)


async def of_record(pool: Pool, settings: Settings, kinds: Iterable[Coordination]) -> RecordFigures:
    """Read the record. Raises RecordAway."""
    counts = await trips.count_by_status(pool)
    breakers = await Store(pool, settings.breaker_policy()).list_breakers(list(Partner))
    backlogs = {kind: await trips.backlog(pool, kind, settings.backlog) for kind in kinds}
    return RecordFigures(counts, breakers, backlogs)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, **documented(record_unavailable=503)},
)
async def get_metrics(request: Request) -> Response:
    """Trips under way, the backlog, breakers, what Temporal says, and this process, as Prometheus text.

    The figures are at most a second old.
    """
    figures: OneFlight[bytes] = request.app.state.figures
    return Response(await figures.get(), media_type=CONTENT_TYPE_LATEST)


def shared(door: Door) -> OneFlight[bytes]:
    """The text, read and written once for all who ask within a second."""
    return OneFlight(lambda: _text(door), FRESH_S)


async def _text(door: Door) -> bytes:
    """Raises RecordAway."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(await of_record(door.pool, door.settings, door.starters))
    registry.register(TemporalFigures(door.watch.seen, door.settings.audit_interval_s))
    registry.register(DoorFigures(door))
    return generate_latest(registry) + as_text()
