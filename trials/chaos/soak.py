"""A run of random trips under random faults and kills, from its seed to its verdict."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from audit.run import AuditError
from trials.chaos import plan
from trials.chaos.client import Away, Client
from trials.chaos.plan import PlannedTrip
from trials.chaos.verdict import audited, settled, under_way
from trials.chaos.weather import Weather
from trials.orders import Json, today
from trials.report import counted, table
from trials.traveller import FINAL
from trip.order import Coordination

UNDER_WAY = 40
"""As many trips as two cores carry to an end in a few seconds; a run asks for safety, not for speed."""
LOOK_EVERY_S = 1.0
ACCEPT_LIMIT_S = 120.0
CANCEL_LIMIT_S = 60.0
SETTLE_LIMIT_S = 60.0
CONFIRMED_SHARE = 0.3


@dataclass
class Load:
    """What came of the bookings.

    `cancels` has the first answer to each cancel, by trip. `late` counts trips that had to wait for their
    turn, since UNDER_WAY others were under way. `refused` are bookings that were not accepted, and why.
    """

    client: Client
    accepted: list[str] = field(default_factory=list)
    cancels: dict[str, int] = field(default_factory=dict)
    late: int = 0
    refused: list[str] = field(default_factory=list)
    _owed: int = 0

    async def book(self, planned: Sequence[PlannedTrip]) -> None:
        """Book all at their times; ends when each is accepted or refused, and its cancel is answered."""
        start, self._owed = asyncio.get_running_loop().time(), len(planned)
        room = asyncio.Semaphore(UNDER_WAY)
        async with asyncio.TaskGroup() as group:
            for trip in planned:
                await asyncio.sleep(start + trip.at_s - asyncio.get_running_loop().time())
                self.late += room.locked()
                await room.acquire()
                group.create_task(self._book(trip)).add_done_callback(lambda _: room.release())

    async def _book(self, trip: PlannedTrip) -> None:
        trip_id = await self._accepted(trip)
        if trip_id and trip.cancel_after_s is not None:
            await asyncio.sleep(trip.cancel_after_s)
            await self._cancel(trip_id)
        self._owed -= 1
        # Only as long as others wait for their turn.
        while trip_id and self._owed and (await self.client.trip(trip_id))["status"] not in FINAL:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_EVERY_S)

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

    async def _cancel(self, trip_id: str) -> None:
        path = f"/trips/{trip_id}/cancel"
        try:
            self.cancels[trip_id], _ = await self.client.call("POST", path)
        except Away:
            # The answer was lost, so nobody knows what this trip must end as: the cancel must be repeatable.
            try:
                await self.client.insist("POST", path, CANCEL_LIMIT_S)
            except Away as error:
                self.refused.append(f"cancel of {trip_id}: {error}")


async def soak(client: Client, seed: int, count: int, per_s: float, limit_s: float) -> Json:
    """Book `count` trips amid the seed's faults and kills, let all settle, and audit.

    The bookings end after `limit_s` seconds at the latest. `violations` has a line for each.
    """
    load, weather = Load(client), Weather(client)
    started = time.monotonic()
    violations = await _storm(load, weather, seed, plan.trips(seed, count, per_s, today()), limit_s)
    ended = time.monotonic()
    still = len(await under_way(client))
    stuck = await settled(client, SETTLE_LIMIT_S)
    settle_s = time.monotonic() - ended
    found = await client.trips()
    violations += [f"{trip['trip_id']}: still {trip['status']}" for trip in stuck]
    violations += unsound(load, found)
    try:
        violations += await audited(client)
    except AuditError as error:
        violations.append(f"audit: {error}")
    return {
        "seed": seed,
        "trips": len(found),
        "load_s": ended - started,
        "waited their turn": load.late,
        **await weather.damage(),
        **{
            kind: Counter(trip["status"] for trip in found if trip["coordination"] == kind)
            for kind in plan.KINDS
        },
        "failures": Counter(trip["failure"]["code"] for trip in found if trip["failure"]),
        "cancels answered": Counter(str(status) for status in load.cancels.values()),
        "front door's answers": client.answers,
        "under way at the last fault": still,
        "settle_s": settle_s,
        "violations": violations,
    }


async def _storm(
    load: Load, weather: Weather, seed: int, planned: list[PlannedTrip], limit_s: float
) -> list[str]:
    calm = asyncio.Event()
    raging = asyncio.create_task(weather.rage(seed, calm))
    violations = []
    try:
        async with asyncio.timeout(limit_s):
            await load.book(planned)
    except TimeoutError:
        violations.append(f"the bookings took longer than {limit_s:g} s")
    finally:
        calm.set()
        await raging
    await weather.clear()
    return violations + load.refused


def unsound(load: Load, found: list[Json]) -> list[str]:
    """What must not be, by how the listed trips ended and how their cancels were answered."""
    ends = {trip["trip_id"]: trip["status"] for trip in found}
    wrong = [f"{trip_id}: accepted, but unknown" for trip_id in load.accepted if trip_id not in ends]
    if len(ends) != len(load.accepted):
        wrong.append(f"{len(load.accepted)} trips were accepted, {len(ends)} are listed")
    broken = {202: "confirmed", 409: "cancelled"}
    for trip_id, status in load.cancels.items():
        end = ends.get(trip_id)
        if end in FINAL and broken.get(status) == end:
            wrong.append(f"{trip_id}: its cancel was answered {status}, but it ended {end}")
    if errors := load.client.answers["500"]:
        wrong.append(f"the front door answered 500, {errors} times")
    return wrong + [problem for kind in plan.KINDS for problem in _too_few(kind, found)]


def _too_few(kind: Coordination, found: list[Json]) -> list[str]:
    ends = [trip["status"] for trip in found if trip["coordination"] == kind]
    confirmed = ends.count("confirmed")
    if confirmed >= CONFIRMED_SHARE * len(ends):
        return []
    return [f"{confirmed} of {len(ends)} were confirmed by {kind}, fewer than {CONFIRMED_SHARE:.0%}"]


def shown(result: Json) -> str:
    rows = [(name, _shown(found)) for name, found in result.items() if name != "violations"]
    return table(("", ""), [*rows, ("violations", len(result["violations"]))])


def _shown(found: object) -> str:
    if isinstance(found, Counter):
        return f"{found.total()}: {counted(dict(found.most_common()))}"
    return f"{found:.1f}" if isinstance(found, float) else str(found)
