"""The trip's record, written for the workflow."""

from collections.abc import Callable
from typing import Any

from temporalio import activity

from record import trips
from record.pool import Pool
from trip.trip import Trip


class TripRecord:
    """The activity that writes a trip's record."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def activities(self) -> list[Callable[..., Any]]:
        """The activities of the record."""
        return [self.save_trip]

    @activity.defn
    async def save_trip(self, trip: Trip, version: int) -> int | None:
        """Write the trip. Returns None, or the version kept if that is not an older one."""
        return await trips.save(self._pool, trip, version)
