"""A trip whose changes a test writes itself, one after another: no workflow knows of it."""

import uuid
from datetime import UTC, date, datetime

from record import notices, trips
from record.pool import Pool
from trip.examples import example_order
from trip.order import TripOrder
from trip.trip import Booking, Links, TripStatus, new_trip


class WrittenTrip:
    """Written and told of as the front door and the worker do it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._version = 0
        self.id = str(uuid.uuid4())
        links = Links(self_="", events="", temporal_ui="")
        order = TripOrder.model_validate(example_order(date(2030, 1, 1)))
        self._booking = Booking(
            trip_id=self.id, tenant="default", order=order, accepted_at=datetime.now(UTC), links=links
        )
        self.trip = new_trip(self._booking)

    async def accept(self) -> None:
        """Write version 0, and version 1 so that nobody starts its workflow."""
        request = trips.Request(lambda _: self._booking, "default", None, b"")
        assert await trips.accept(self._pool, request) == self._booking
        await self.change(1)

    async def change(self, times: int) -> None:
        """Write so many changes."""
        for _ in range(times):
            await self.write(self._version + 1)

    async def write(self, version: int) -> None:
        """Write the trip as a version."""
        await trips.save(self._pool, self.trip, version)
        await notices.send(self._pool, [self.id])
        self._version = max(version, self._version)

    async def end(self) -> None:
        """Write the last change."""
        self.trip.status = TripStatus.CONFIRMED
        await self.change(1)


async def written_trip(pool: Pool) -> WrittenTrip:
    """A trip of two events, of the ids 0 and 1."""
    trip = WrittenTrip(pool)
    await trip.accept()
    return trip
