"""The trip's record, written for the workflow."""

from collections.abc import Callable
from typing import Any

from temporalio import activity

from activities.shared import Shared
from record import trips
from trip.trip import Trip


class TripRecord:
    """The activity that writes a trip's record."""

    def __init__(self, shared: Shared) -> None:
        self._pool = shared.pool
        self._notices = shared.notices

    def activities(self) -> list[Callable[..., Any]]:
        """The activities of the record."""
        return [self.save_trip]

    @activity.defn
    async def save_trip(self, trip: Trip, version: int) -> int | None:
        """Write the trip. Returns None, or the version kept if that is not an older one."""
        kept = await trips.save(self._pool, trip, version)
        if kept is None:
            self._notices.tell(trip.trip_id, trip.status)
        return kept
