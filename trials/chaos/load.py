"""Books the planned trips, at their times, through whatever the system is going through."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from trials.chaos.client import Away, Client
from trials.chaos.plan import PlannedTrip
from trials.chaos.verdict import UNFINISHED

UNDER_WAY = 40
"""As many trips as two cores carry to an end in a few seconds; a run asks for safety, not for speed."""
LOOK_EVERY_S = 0.5
ACCEPT_LIMIT_S = 120.0
CANCEL_LIMIT_S = 60.0


@dataclass
class Load:
    """What came of the bookings.

    `cancels` has the first answer to each cancel, by trip. `late` counts trips that had to wait for their
    turn, since UNDER_WAY others were. `refused` are bookings that were not accepted, and why.
    """

    client: Client
    accepted: list[str] = field(default_factory=list)
    cancels: dict[str, int] = field(default_factory=dict)
    unanswered_cancels: int = 0
    late: int = 0
    refused: list[str] = field(default_factory=list)
    _under_way: frozenset[str] = frozenset()
    _looks: int = 0
    _owed: int = 0

    async def book(self, planned: Sequence[PlannedTrip]) -> None:
        """Book all; ends when each is accepted, or refused for good, and its cancel answered."""
        start, self._owed = asyncio.get_running_loop().time(), len(planned)
        room = asyncio.Semaphore(UNDER_WAY)
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(self._look())
            for trip in planned:
                await asyncio.sleep(start + trip.at_s - asyncio.get_running_loop().time())
                self.late += room.locked()
                await room.acquire()
                group.create_task(self._book(trip)).add_done_callback(lambda _: room.release())
            for _ in range(UNDER_WAY):
                await room.acquire()
            looking.cancel()

    async def _look(self) -> None:
        """Keep in mind which trips are under way."""
        while True:
            found = [trip["trip_id"] for status in UNFINISHED for trip in await self.client.trips(status)]
            self._under_way, self._looks = frozenset(found), self._looks + 1
            await asyncio.sleep(LOOK_EVERY_S)

    async def _book(self, trip: PlannedTrip) -> None:
        trip_id = await self._accepted(trip)
        if trip_id and trip.cancel_after_s is not None:
            await asyncio.sleep(trip.cancel_after_s)
            await self._cancel(trip_id)
        self._owed -= 1
        if trip_id:
            await self._ended(trip_id)

    async def _accepted(self, trip: PlannedTrip) -> str | None:
        headers = {"Idempotency-Key": trip.key, "Prefer": f"wait={trip.wait_s}"}
        try:
            status, answer = await self.client.insist(
                "POST", "/trips", ACCEPT_LIMIT_S, json=trip.body, headers=headers
            )
        except Away as error:
            self.refused.append(f"{trip.key}: {error}")
            return None
        if status not in (200, 202):
            self.refused.append(f"{trip.key}: answered {status}: {answer}")
            return None
        trip_id: str = answer["trip_id"]
        self.accepted.append(trip_id)
        return trip_id

    async def _ended(self, trip_id: str) -> None:
        """Returns once the trip has ended, or once there is nothing left to book, cancel or wait for."""
        # The look that is being taken may have begun before the trip was there.
        seen = self._looks
        while self._owed and (self._looks < seen + 2 or trip_id in self._under_way):  # noqa: ASYNC110 - polled
            await asyncio.sleep(LOOK_EVERY_S)

    async def _cancel(self, trip_id: str) -> None:
        path = f"/trips/{trip_id}/cancel"
        try:
            status, _ = await self.client.call("POST", path)
            self.cancels[trip_id] = status
        except Away:
            # The answer was lost, and with it what this trip must end as: it only has to be repeatable.
            self.unanswered_cancels += 1
            try:
                await self.client.insist("POST", path, CANCEL_LIMIT_S)
            except Away as error:
                self.refused.append(f"cancel of {trip_id}: {error}")
