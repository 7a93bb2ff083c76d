"""What is counted of choreographed trips that have ended."""

from datetime import datetime

from prometheus_client import Counter, Histogram

from choreography.decisions import Row
from record.choreographed import Written
from serving.figures import FIGURES, SECONDS
from trip.fence import Mark
from trip.figures import ENDED, ENDED_SAYS, SETTLE, SETTLE_SAYS, UNDO, UNDO_SAYS, labels
from trip.trip import FINAL_STATUSES, Booking

_LABELS = tuple(labels("", ""))
_ended = Counter(ENDED, ENDED_SAYS, _LABELS, registry=FIGURES)
_settle = Histogram(f"{SETTLE}_seconds", SETTLE_SAYS, _LABELS, buckets=SECONDS, registry=FIGURES)
_undo = Histogram(f"{UNDO}_seconds", UNDO_SAYS, _LABELS, buckets=SECONDS, registry=FIGURES)


def count_end(written: Written, booking: Booking, row: Row, now: datetime) -> None:
    """Count the trip if this is its end."""
    if written.status not in FINAL_STATUSES:
        return
    told = labels(written.status.value, "choreography")
    _ended.labels(**told).inc()
    _settle.labels(**told).observe((now - booking.accepted_at).total_seconds())
    if row.mark is Mark.UNDONE and row.facts.decided_at is not None:
        _undo.labels(**told).observe((now - row.facts.decided_at).total_seconds())
