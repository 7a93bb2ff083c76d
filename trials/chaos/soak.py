"""A run of random trips under random faults and kills, from its seed to its verdict."""

import asyncio
import time
from collections import Counter
from datetime import UTC, date, datetime

from pydantic import BaseModel

from audit.report import Discrepancy
from audit.run import AuditError, audit
from trials.chaos import plan
from trials.chaos.client import Json
from trials.chaos.load import Load
from trials.chaos.place import Place
from trials.chaos.verdict import FINAL, settled
from trials.chaos.weather import Damage, Weather

SETTLE_LIMIT_S = 60.0
CONFIRMED_SHARE = 0.3
WORKERS = 2


class Result(BaseModel):
    """What a run showed. `violations` are what must not be, each with the trip's id where it has one."""

    seed: int
    at: datetime
    trips: int
    per_s: float
    damage: Damage
    outcomes: dict[str, int]
    failures: dict[str, int]
    cancels: dict[str, int]
    answers: dict[str, int]
    late: int
    load_s: float
    under_way_at_end: int
    settle_s: float
    discrepancies: list[Discrepancy]
    in_flight: list[str]
    violations: list[str]


async def soak(here: Place, seed: int, count: int, per_s: float, limit_s: float) -> Result:
    """Book `count` trips amid the seed's faults and kills, let all settle, and audit.

    The bookings end after `limit_s` seconds at the latest.
    """
    load, weather = Load(here.client), Weather(here.client)
    started = time.monotonic()
    violations = await _storm(load, weather, seed, plan.trips(seed, count, per_s, _today()), limit_s)
    ended, load_s = datetime.now(UTC), time.monotonic() - started
    under_way = len(await settled(here.client, 0))
    stuck = await settled(here.client, SETTLE_LIMIT_S - (datetime.now(UTC) - ended).total_seconds())
    found = await here.client.trips()
    violations += [f"{trip['trip_id']}: still {trip['status']}" for trip in stuck]
    violations += unsound(load, found, count)
    discrepancies, in_flight = await _audited(here, violations)
    return Result(
        seed=seed,
        at=datetime.now(UTC),
        trips=len(found),
        per_s=per_s,
        damage=await weather.damage(),
        outcomes=Counter(trip["status"] for trip in found),
        failures=Counter(trip["failure"]["code"] for trip in found if trip["failure"]),
        cancels=Counter(str(status) for status in load.cancels.values()),
        answers=here.client.answers,
        late=load.late,
        load_s=load_s,
        under_way_at_end=under_way,
        settle_s=_seconds_after(ended, found),
        discrepancies=discrepancies,
        in_flight=in_flight,
        violations=violations,
    )


async def _storm(
    load: Load, weather: Weather, seed: int, planned: list[plan.PlannedTrip], limit_s: float
) -> list[str]:
    """Book while the weather rages, then clear it; what went wrong with that."""
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


def unsound(load: Load, found: list[Json], count: int) -> list[str]:
    """What must not be, by how the listed trips ended and how their cancels were answered."""
    ends = {trip["trip_id"]: trip["status"] for trip in found}
    wrong = [f"{trip_id}: accepted, but unknown" for trip_id in load.accepted if trip_id not in ends]
    if len(ends) != len(load.accepted):
        wrong.append(f"{len(load.accepted)} trips were accepted, {len(ends)} are listed")
    for trip_id, status in load.cancels.items():
        end = ends.get(trip_id)
        if end in FINAL and (
            (status == 202 and end == "confirmed") or (status == 409 and end == "cancelled")
        ):
            wrong.append(f"{trip_id}: its cancel was answered {status}, but it ended {end}")
    if broken := load.client.answers["500"]:
        wrong.append(f"the front door answered 500, {broken} times")
    confirmed = sum(end == "confirmed" for end in ends.values())
    if confirmed < CONFIRMED_SHARE * count:
        wrong.append(f"{confirmed} trips of {count} were confirmed, fewer than {CONFIRMED_SHARE:.0%}")
    return wrong


async def _audited(here: Place, violations: list[str]) -> tuple[list[Discrepancy], list[str]]:
    try:
        report = await audit(here.client.target.endpoints())
    except AuditError as error:
        violations.append(f"audit: {error}")
        return [], []
    violations += [f"{found.subject}: {found.code}: {found.problem}" for found in report.discrepancies]
    violations += [f"{subject}: not at rest, and so not audited" for subject in report.in_flight]
    return report.discrepancies, report.in_flight


def _seconds_after(ended: datetime, found: list[Json]) -> float:
    last = max((datetime.fromisoformat(trip["updated_at"]) for trip in found), default=ended)
    return max(0.0, (last - ended).total_seconds())


def _today() -> date:
    return datetime.now(UTC).date()
