"""Travellers who book the planned trips at their moments, and what each of them is told."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp

from trials.bench.buys.plan import PlannedTrip
from trials.orders import Json
from trials.polling import until
from trials.traveller import FINAL, Traveller

WAIT_S = 60
ACCEPT_S = 15.0
LOOK_EVERY_S = 0.3
CUT = "cut"
"""The status of a trip whose booking was cut off unanswered: its traveller does not ask again."""


@dataclass
class Booked:
    """A trip as its traveller knows it. Moments are in seconds since 1970; `told_at` is None until it ended.

    `names` are its label and the ids under which it was accepted: two if it was booked twice.
    """

    trip: PlannedTrip
    at: float
    status: str = "booking"
    told_at: float | None = None
    names: set[str] = field(default_factory=set)


class Travellers:
    """Book trips, with the label as the idempotency key if `keys`; `all_told` has what came of them."""

    def __init__(self, traveller: Traveller, *, keys: bool) -> None:
        self._traveller = traveller
        self._keys = keys
        self._tasks: dict[asyncio.Task[None], Booked] = {}

    async def book(self, trips: Sequence[PlannedTrip]) -> None:
        """Book each at its moment; returns once the last one is sent."""
        start = time.monotonic()
        for trip in trips:
            await asyncio.sleep(start + trip.at_s - time.monotonic())
            booked = Booked(trip, time.time(), names={trip.label})
            self._tasks[asyncio.create_task(self._see_through(booked))] = booked

    async def all_told(self, within_s: float) -> list[Booked]:
        """All that were booked, once each has ended or was cut off, or as they are after `within_s`."""
        _, late = await asyncio.wait(self._tasks, timeout=within_s)
        for task in late:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        return list(self._tasks.values())

    async def _see_through(self, booked: Booked) -> None:
        try:
            if booked.trip.is_resent:
                await self._post(booked, wait_s=0)
            trip = await self._post(booked, wait_s=WAIT_S)
            while trip["status"] not in FINAL:
                await asyncio.sleep(LOOK_EVERY_S)
                trip = await self._traveller.trip(trip["trip_id"])
        except (aiohttp.ClientError, OSError, TimeoutError):
            booked.status = CUT
            return
        booked.status, booked.told_at = trip["status"], time.time()

    async def _post(self, booked: Booked, wait_s: int) -> Json:
        """Book. A request that could not even be sent is sent again, for ACCEPT_S seconds at most."""
        key = booked.trip.label if self._keys else None

        async def connected() -> Json | None:
            try:
                return await self._traveller.book(booked.trip.order, wait_s, key)
            except aiohttp.ClientConnectorError:
                return None

        trip = await until(connected, ACCEPT_S + wait_s, LOOK_EVERY_S)
        assert trip is not None
        booked.names.add(trip["trip_id"])
        return trip
