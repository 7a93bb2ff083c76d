"""The mark in a trip's record that its sending has begun, or that it never will."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from domain.partner import Sending
from record import sending
from record.pool import Pool, open_pool
from tests.conftest import RunningSystem

CONTENDERS = 20


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


async def test_sending_begins_once_and_is_remembered(pool: Pool, trip_id: str) -> None:
    found = [await sending.begin(pool, trip_id) for _ in range(3)]
    assert found == [Sending.BEGINS, Sending.HAD_BEGUN, Sending.HAD_BEGUN]
    assert await sending.bar(pool, trip_id) is Sending.HAD_BEGUN


async def test_where_it_was_barred_it_never_begins(pool: Pool, trip_id: str) -> None:
    """As for a worker that stood still while another run of its task settled that nothing was sent."""
    assert await sending.bar(pool, trip_id) is Sending.BARRED
    assert await sending.begin(pool, trip_id) is Sending.BARRED
    assert await sending.bar(pool, trip_id) is Sending.BARRED


@pytest.mark.parametrize("round_", range(10))
async def test_of_those_who_begin_and_bar_at_once_one_side_wins(
    pool: Pool, trip_id: str, round_: int
) -> None:
    calls = [sending.begin(pool, trip_id) if n % 2 else sending.bar(pool, trip_id) for n in range(CONTENDERS)]
    found = await asyncio.gather(*calls)
    begun, barred = found[1::2], found[::2]
    if Sending.BARRED in begun:
        assert set(begun) == set(barred) == {Sending.BARRED}
    else:
        assert begun.count(Sending.BEGINS) == 1
        assert set(barred) == {Sending.HAD_BEGUN}
