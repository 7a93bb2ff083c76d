"""The trip's record, written for the workflow, and what only the record can decide."""

from collections.abc import Callable
from typing import Any

from temporalio import activity

from domain.trip import Trip
from record import sending, trips
from record.pool import Pool


class TripRecord:
    """The activities that write a trip's record."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def activities(self) -> list[Callable[..., Any]]:
        """The activities of the record."""
        return [self.save_trip, self.decide_capture]

    @activity.defn
    async def save_trip(self, trip: Trip, version: int) -> None:
        """Write the trip; an older version than the one written does nothing."""
        await trips.save(self._pool, trip, version)

    @activity.defn
    async def decide_capture(self, trip: Trip, version: int) -> bool:
        """Write the trip, held in full, and that it is captured; False where that was barred."""
        return await sending.decide_capture(self._pool, trip, version)
