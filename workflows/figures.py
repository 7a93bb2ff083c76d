"""What a workflow counts. It counts nothing while it replays."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from trip.figures import ENDED, ENDED_SAYS, SETTLE, SETTLE_SAYS, UNDO, UNDO_SAYS, labels
    from trip.trip import Trip


def count_end(trip: Trip, undo_took: timedelta | None) -> None:
    """The trip has ended; what was undone took so long."""
    told, meter = labels(trip.status.value, trip.coordination), workflow.metric_meter()
    meter.create_counter(ENDED, ENDED_SAYS).add(1, told)
    meter.create_histogram_timedelta(SETTLE, SETTLE_SAYS).record(workflow.now() - trip.created_at, told)
    if undo_took is not None:
        meter.create_histogram_timedelta(UNDO, UNDO_SAYS).record(undo_took, told)
