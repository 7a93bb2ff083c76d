"""Travellers who book the planned trips at their moments, and what each of them is told."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp

from tests.traveller import FINAL, Json
from trials.bench.buys.plan import PlannedTrip
from trials.bench.buys.stage import Ground

WAIT_S = 60
ACCEPT_S = 15.0
LOOK_EVERY_S = 0.3
CUT = "cut"
"""The status of a trip whose booking was cut off unanswered: its traveller does not ask again."""


@dataclass
class Booked:
    """A trip as its traveller knows it: moments in seconds since 1970, `told_at` None until it is final.

    `names` are the trip's label and the ids under which it was accepted, more than one where it was booked
    twice.
    """

    trip: PlannedTrip
    at: float
    status: str = "booking"
    told_at: float | None = None
    names: set[str] = field(default_factory=set)


class Travellers:
    """Book trips; `all_told` has what came of them."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._booked: list[Booked] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def book(self, trips: Sequence[PlannedTrip]) -> None:
        """Book each at its moment; returns when the last one is sent."""
        start = time.monotonic()
        for trip in trips:
            await asyncio.sleep(start + trip.at_s - time.monotonic())
            booked = Booked(trip, time.time(), names={trip.label})
            self._booked.append(booked)
            self._tasks.append(asyncio.create_task(self._see_through(booked)))

    async def all_told(self, within_s: float) -> list[Booked]:
        """All that were booked, once each is final or cut off, or as they stand after `within_s` seconds."""
        if self._tasks:
            done, late = await asyncio.wait(self._tasks, timeout=within_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
            for task in done:
                task.result()
        return self._booked

    async def _see_through(self, booked: Booked) -> None:
        try:
            if booked.trip.is_resent:
                await self._post(booked, wait_s=0)
            trip = await self._post(booked, wait_s=WAIT_S)
            while trip["status"] not in FINAL:
                await asyncio.sleep(LOOK_EVERY_S)
                trip = await self._ground.traveller.trip(trip["trip_id"])
        except (aiohttp.ClientError, OSError, TimeoutError):
            booked.status = CUT
            return
        booked.status, booked.told_at = trip["status"], time.time()

    async def _post(self, booked: Booked, wait_s: int) -> Json:
        """Book until it is accepted; what could not even be sent is sent again for ACCEPT_S seconds."""
        label, order = booked.trip.label, booked.trip.order
        key = label if self._ground.variant.keys else None
        until = time.monotonic() + ACCEPT_S
        while True:
            try:
                trip = await self._ground.traveller.book(order, wait_s, key)
                break
            except aiohttp.ClientConnectorError:
                if time.monotonic() >= until:
                    raise
                await asyncio.sleep(LOOK_EVERY_S)
        booked.names.add(trip["trip_id"])
        return trip
