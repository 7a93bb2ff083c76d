"""What is too old is dropped by one front door at a time, as long as there is more."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from api import retention
from api.retention import sweeping
from record import retention as batches
from record import trips
from record.erasure import Forget
from record.pool import Pool
from record.retention import Keep
from tests.pooler import Way
from tests.record.test_accepting import request
from trials.polling import until
from trip.trip import Booking

OLD, KEPT = timedelta(days=40_000), timedelta(days=39_000)
"""No other test has events that old."""

BATCH, BATCHES = 5, 50


@pytest.fixture
async def record(way: Way) -> AsyncIterator[Pool]:
    async with way.open() as pool:
        yield pool


async def nobody(_trips: object) -> None:
    return


async def test_a_turn_drops_batch_after_batch(record: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH", BATCH)
    monkeypatch.setattr(retention, "PAUSE_S", 0)
    booking = await trips.accept(record, request())
    assert isinstance(booking, Booking)
    await record.execute(
        """
        insert into trip_events (trip_id, version, trip, at)
        select $1, 100 + number, '{}', now() - $2::interval from generate_series(1, $3::int) as number
        """,
        booking.trip_id,
        OLD,
        BATCH * BATCHES + 1,
    )

    async def left() -> int:
        found: int = await record.fetchval(
            "select count(*) from trip_events where trip_id = $1 and version > 100", booking.trip_id
        )
        return found

    async def are_gone() -> bool:
        return not await left()

    assert await left()
    async with sweeping(record, Keep(events=KEPT), Forget(nobody, nobody)):
        await until(are_gone)
