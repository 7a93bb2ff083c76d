"""The marks in a trip's record: its sending has begun, it never will, it ends, or the capture is decided."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from record import sending, trips
from record.pool import Pool, open_pool
from tests.conftest import RunningSystem
from trip.calls import CaptureDecision
from trip.partner import Partner, Sending
from trip.trip import Links, Step, StepStatus, Total, Trip, TripStatus

CONTENDERS = 20
FIRST, LATER = 1, 2


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pool(system: RunningSystem) -> AsyncIterator[Pool]:
    """The record of the shared system."""
    async with open_pool(system.database_url) as found:
        yield found


@pytest_asyncio.fixture
async def trip_id(pool: Pool) -> AsyncIterator[str]:
    """A row of its own, which nobody carries out."""
    found = f"sending-{uuid.uuid4()}"
    await pool.execute(
        """
        insert into trips (trip_id, tenant, body_hash, booking, trip, status, created_at, updated_at,
                           started_at)
        values ($1, 'sending', '', '{}', '{}', 'booking', now(), now(), now())
        """,
        found,
    )
    yield found
    await pool.execute("delete from trips where trip_id = $1", found)


def held(trip_id: str, status: TripStatus = TripStatus.BOOKING) -> Trip:
    """A trip whose only step is held."""
    now = datetime.now(UTC)
    return Trip(
        trip_id=trip_id,
        status=status,
        created_at=now,
        updated_at=now,
        steps=[Step(name=Partner("hotel"), status=StepStatus.HELD, reference="H-1", amount_minor=100)],
        total=Total(amount_minor=100, currency="JPY"),
        links=Links.model_validate({"self": "/", "events": "/", "temporal_ui": "/"}),
    )


async def test_sending_begins_once_and_is_remembered(pool: Pool, trip_id: str) -> None:
    found = [await sending.begin(pool, trip_id) for _ in range(3)]
    assert found == [Sending.BEGINS, Sending.HAD_BEGUN, Sending.HAD_BEGUN]


async def test_where_it_was_barred_it_never_begins(pool: Pool, trip_id: str) -> None:
    """As for a worker that stood still while another run of its task settled that nothing was sent."""
    for _ in range(2):
        assert (await sending.bar(pool, trip_id)).sending is Sending.BARRED
        assert await sending.begin(pool, trip_id) is Sending.BARRED
    assert await sending.decide_capture(pool, CaptureDecision(trip=held(trip_id), version=FIRST)) is False


async def test_where_it_was_barred_after_it_began_nothing_is_captured(pool: Pool, trip_id: str) -> None:
    await sending.begin(pool, trip_id)
    for _ in range(2):
        barring = await sending.bar(pool, trip_id)
        assert (barring.sending, barring.trip) == (Sending.UNDONE, None)
        assert await sending.begin(pool, trip_id) is Sending.UNDONE
    assert await sending.decide_capture(pool, CaptureDecision(trip=held(trip_id), version=FIRST)) is False
    assert await pool.fetchval("select trip::text from trips where trip_id = $1", trip_id) == "{}"


@pytest.mark.parametrize("final", [False, True])
async def test_a_capture_that_is_decided_is_told_to_who_would_undo_the_trip(
    pool: Pool, trip_id: str, final: bool
) -> None:
    await sending.begin(pool, trip_id)
    trip = held(trip_id)
    assert await sending.decide_capture(pool, CaptureDecision(trip=trip, version=FIRST))
    if final:  # the run that was lost got as far as the end
        trip = held(trip_id, TripStatus.CONFIRMED)
        assert await trips.save(pool, trip, LATER)
    barring = await sending.bar(pool, trip_id)
    assert (barring.sending, barring.trip) == (Sending.CAPTURES, trip)
    assert await sending.begin(pool, trip_id) is Sending.CAPTURES
    assert await sending.decide_capture(pool, CaptureDecision(trip=held(trip_id), version=LATER + 1)), (
        "as often as it is asked"
    )


async def test_no_row_decides_no_capture(pool: Pool) -> None:
    with pytest.raises(LookupError):
        await sending.decide_capture(pool, CaptureDecision(trip=held("no-such-trip"), version=FIRST))
    assert (await sending.bar(pool, "no-such-trip")).sending is Sending.UNDONE


@pytest.mark.parametrize("round_", range(10))
async def test_of_those_who_begin_and_bar_at_once_one_side_wins(
    pool: Pool, trip_id: str, round_: int
) -> None:
    async def begin_or_bar(turn: int) -> Sending:
        if turn % 2:
            return await sending.begin(pool, trip_id)
        return (await sending.bar(pool, trip_id)).sending

    found = await asyncio.gather(*[begin_or_bar(turn) for turn in range(CONTENDERS)])
    begun, barred = found[1::2], found[::2]
    assert begun.count(Sending.BEGINS) <= 1
    if Sending.BEGINS in begun:
        assert set(barred) == {Sending.UNDONE}
    else:
        assert set(begun) == set(barred) == {Sending.BARRED}


@pytest.mark.parametrize("round_", range(10))
async def test_of_those_who_capture_and_bar_at_once_one_side_wins(
    pool: Pool, trip_id: str, round_: int
) -> None:
    await sending.begin(pool, trip_id)

    async def is_captured(turn: int) -> bool:
        if turn % 2:
            return await sending.decide_capture(pool, CaptureDecision(trip=held(trip_id), version=turn))
        return (await sending.bar(pool, trip_id)).sending is Sending.CAPTURES

    found = await asyncio.gather(*[is_captured(turn) for turn in range(CONTENDERS)])
    assert len(set(found)) == 1, "all are told the same"
