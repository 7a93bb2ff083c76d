"""The marks in a trip's row: each question is one statement, so that of two runs one wins."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from record import fence, trips
from record.pool import Pool, open_pool
from tests import pooler
from tests.conftest import RunningSystem
from tests.workflows.world import Row
from trip.calls import CaptureDecision
from trip.fence import Barring, Ending, Mark, Standing
from trip.partner import PAYMENT
from trip.trip import Failure, Links, Step, StepStatus, Total, Trip, TripStatus

CONTENDERS = 20
QUESTIONS = 12
NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest_asyncio.fixture(
    scope="session", loop_scope="session", params=["direct", *(["pooled"] if pooler.IS_SHARED else [])]
)
async def pool(system: RunningSystem, request: pytest.FixtureRequest) -> AsyncIterator[Pool]:
    """The record of the shared system, reached directly and as the system's own processes reach it."""
    opened = open_pool(system.database_url) if request.param == "direct" else system.way.open()
    async with opened as found:
        yield found


@pytest_asyncio.fixture
async def trip_id(pool: Pool) -> AsyncIterator[str]:
    """A row of its own, which nobody carries out."""
    found = f"fence-{uuid.uuid4()}"
    await pool.execute(
        """
        insert into trips (trip_id, tenant, body_hash, booking, trip, status, created_at, updated_at,
                           started_at)
        values ($1, 'fence', '', '{}', $2, 'booking', now(), now(), now())
        """,
        found,
        shown(found).model_dump(mode="json"),
    )
    yield found
    await pool.execute("delete from trips where trip_id = $1", found)


def shown(trip_id: str, status: TripStatus = TripStatus.BOOKING, amount: int | None = 0) -> Trip:
    """A trip of one step, told apart by the amount; None: it is not held in full."""
    return Trip(
        trip_id=trip_id,
        status=status,
        created_at=NOW,
        updated_at=NOW,
        steps=[Step(name=PAYMENT, status=StepStatus.HELD, reference="P-1", amount_minor=amount)],
        total=Total(amount_minor=amount, currency="JPY"),
        links=Links.model_validate({"self": "/", "events": "/", "temporal_ui": "/"}),
    )


def barring(trip_id: str, code: str = "late", **more: bool) -> Barring:
    """A run that is to undo the trip."""
    failure = Failure(step=None, code=code, message=code)
    return Barring(trip_id=trip_id, ending=Ending(status=TripStatus.FAILED, failure=failure), **more)


ENDING = barring("").ending
BOOKED_LONG_AGO = """
    update trips set created_at = now() - interval '61 s', booking = '{"order": {"deadline_s": 60}}'
    where trip_id = $1
    """

Question = tuple[str, tuple[Any, ...]]


def drawn(draw: random.Random, trip_id: str, number: int) -> Question:
    """Any question that a run can ask, with a version that may be an older one."""
    version = draw.randint(0, 6)
    match draw.choice(["begin", "bar", "capture", "save"]):
        case "begin":
            return "begin", (barring(trip_id, f"code {number}").ending,)
        case "bar":
            flags = {"sent": draw.random() < 0.3, "after_capture": draw.random() < 0.3}
            return "bar", (barring(trip_id, f"code {number}", **flags),)
        case "capture":
            return "capture", (CaptureDecision(trip=shown(trip_id, amount=number), version=version),)
        case _:
            status = draw.choice([TripStatus.BOOKING, TripStatus.NEEDS_ATTENTION, TripStatus.CONFIRMED])
            return "save", (shown(trip_id, status, draw.choice([number, None])), version)


async def asked(pool: Pool, trip_id: str, question: Question) -> Standing | bool | int | None:
    """What the record answers."""
    match question:
        case "begin", (given,):
            return (await fence.begin(pool, trip_id, given))[0]
        case "bar", (given,):
            return await fence.bar(pool, given)
        case "capture", (given,):
            return await fence.capture(pool, given)
        case _, (trip, version):
            return await trips.save(pool, trip, version)
    raise AssertionError(question)


@pytest.mark.parametrize("seed", range(40))
async def test_the_record_answers_as_the_model_of_the_row(pool: Pool, trip_id: str, seed: int) -> None:
    """The search over lost tasks (tests/workflows) runs on this model."""
    draw, model = random.Random(seed), Row(trip=shown(trip_id), is_late=seed % 2 == 1)
    if model.is_late:
        await pool.execute(BOOKED_LONG_AGO, trip_id)
    for number in range(QUESTIONS):
        name, given = drawn(draw, trip_id, number)
        answer = await asked(pool, trip_id, (name, given))
        assert answer == getattr(model, name)(*given), (number, name, given)
    row = await pool.fetchrow("select trip, version, status from trips where trip_id = $1", trip_id)
    assert row is not None
    assert (Trip.model_validate(row["trip"]), row["version"], row["status"]) == (
        model.trip,
        model.version,
        model.status,
    )
    events = await pool.fetchval("select max(version) from trip_events where trip_id = $1", trip_id)
    assert (events or 0) == model.version


async def test_a_trip_without_a_row_is_decided_by_its_history(pool: Pool) -> None:
    with pytest.raises(LookupError):
        await fence.capture(pool, CaptureDecision(trip=shown("no-such-trip"), version=1))
    assert await fence.begin(pool, "no-such-trip", ENDING) == (Standing(mark=Mark.BEGUN), None)
    assert await fence.left_s(pool, "no-such-trip") is None
    assert (await fence.bar(pool, barring("no-such-trip"))).mark is Mark.UNDONE


@pytest.mark.parametrize("round_", range(10))
async def test_of_those_who_begin_and_bar_at_once_one_side_wins(
    pool: Pool, trip_id: str, round_: int
) -> None:
    async def begin_or_bar(turn: int) -> Mark:
        if turn % 2:
            return (await fence.begin(pool, trip_id, ENDING))[0].mark
        return (await fence.bar(pool, barring(trip_id))).mark

    found = await asyncio.gather(*[begin_or_bar(turn) for turn in range(CONTENDERS)])
    begun, barred = set(found[1::2]), set(found[::2])
    assert (begun <= {Mark.BEGUN, Mark.UNDONE} and barred == {Mark.UNDONE}) or begun == barred == {
        Mark.BARRED
    }


@pytest.mark.parametrize("round_", range(10))
async def test_of_those_who_capture_and_bar_at_once_one_side_wins(
    pool: Pool, trip_id: str, round_: int
) -> None:
    await fence.begin(pool, trip_id, ENDING)

    async def is_captured(turn: int) -> bool:
        if turn % 2:
            return await fence.capture(pool, CaptureDecision(trip=shown(trip_id), version=turn))
        return (await fence.bar(pool, barring(trip_id))).mark is Mark.CAPTURES

    found = await asyncio.gather(*[is_captured(turn) for turn in range(CONTENDERS)])
    assert len(set(found)) == 1, "all are told the same"


@pytest.mark.parametrize("round_", range(10))
async def test_endings_that_come_at_once_leave_one(pool: Pool, trip_id: str, round_: int) -> None:
    await fence.begin(pool, trip_id, ENDING)
    found = await asyncio.gather(*[fence.bar(pool, barring(trip_id, f"code {n}")) for n in range(CONTENDERS)])
    assert len({standing.model_dump_json() for standing in found}) == 1


async def test_what_is_left_until_the_deadline_is_told_by_postgresqls_clock(pool: Pool, trip_id: str) -> None:
    await pool.execute(BOOKED_LONG_AGO.replace("61", "20"), trip_id)
    standing, left_s = await fence.begin(pool, trip_id, ENDING)
    assert standing.mark is Mark.BEGUN and left_s is not None
    assert 30 < left_s <= 40
    assert 30 < (await fence.left_s(pool, trip_id) or 0) <= left_s
