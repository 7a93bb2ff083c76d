"""What the audit in windows reads of a long record: no more than what it asks for, whatever lies behind."""

from datetime import UTC, datetime

import pytest

from record import audit_windows as windows
from record.pool import Pool
from tests.record.conftest import TRIPS

LIMIT = 1000
BLOCKS_A_TRIP = 3
"""Its row, its entry in the index, and the way to it."""

AFTER_ALL = (datetime.max.replace(tzinfo=UTC), "")
_NTH_LAST = """
    select ended_at, trip_id from trips where ended_at is not null
    order by ended_at desc, trip_id desc offset $1 limit 1
    """


@pytest.mark.parametrize("behind", [TRIPS // 2, LIMIT, 0], ids=["half", "last", "none"])
async def test_ended_trips_are_read_from_a_place_on(full_record: Pool, behind: int) -> None:
    place = await full_record.fetchrow(_NTH_LAST, behind)
    assert place is not None
    read = await _blocks(full_record, windows._ENDED, *place, *AFTER_ALL, LIMIT)
    assert read <= BLOCKS_A_TRIP * (LIMIT + 1)


async def test_ended_trips_are_not_read_for_those_under_way(full_record: Pool) -> None:
    assert await _blocks(full_record, windows._UNFINISHED, "", LIMIT) <= BLOCKS_A_TRIP * LIMIT


async def _blocks(pool: Pool, statement: str, *arguments: object) -> int:
    """How many blocks of PostgreSQL's it touches, table and indexes."""
    (found,) = await pool.fetchval(f"explain (analyze, buffers, format json) {statement}", *arguments)
    plan = found["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
