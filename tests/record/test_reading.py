"""Pages of a long record: what PostgreSQL touches for each, and that none is skipped or shown twice."""

import asyncio
from typing import Any

import pytest
from asyncpg.pool import PoolConnectionProxy

from record import pages
from record.pages import AFTER_ALL, Position, Wanted
from record.pool import Pool
from tests.record.conftest import TRIPS
from trials.filling import AGENCY, TENANT, add
from trip.trip import TripStatus

LIMIT = 50
EXECUTIONS = 8
"""PostgreSQL looks for one plan for all arguments from the sixth execution on."""

AGENCY_RARE_BLOCKS = 250
"""Some 10,000 trips are compared in the index: 50 a block."""

SHAPES = {
    "all": (Wanted(TENANT), "trips_newest"),
    "confirmed": (Wanted(TENANT, TripStatus.CONFIRMED), "trips_by_status"),
    "rare": (Wanted(TENANT, TripStatus.NEEDS_ATTENTION), "trips_by_status"),
    "none": (Wanted(TENANT, TripStatus.CANCELLED), "trips_by_status"),
    "agency": (Wanted(TENANT, email=AGENCY), "trips_by_email"),
    "traveller": (Wanted(TENANT, email="traveller-7@example.com"), "trips_by_email"),
    "stranger": (Wanted(TENANT, email="nobody@example.com"), "trips_by_email"),
    "agency, confirmed": (Wanted(TENANT, TripStatus.CONFIRMED, AGENCY), "trips_by_email"),
    "agency, rare": (Wanted(TENANT, TripStatus.NEEDS_ATTENTION, AGENCY), "trips_by_email"),
}


@pytest.mark.parametrize("place", ["first", "middle"])
@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan", "auto"])
@pytest.mark.parametrize(("wanted", "index"), SHAPES.values(), ids=SHAPES)
async def test_a_page_reads_no_row_but_its_own(
    full_record: Pool, wanted: Wanted, index: str, mode: str, place: str
) -> None:
    # In one transaction, so that a pooler has one server answer.
    async with full_record.acquire() as connection, connection.transaction():
        before = await middle(connection) if place == "middle" else AFTER_ALL
        await connection.execute(f"set local plan_cache_mode = {mode}")
        node = await reading_node(connection, *pages.question(wanted, before, LIMIT + 1))
    assert node["Index Name"] == index, node
    assert node["Actual Rows"] <= LIMIT + 1
    assert node.get("Rows Removed by Filter", 0) == 0
    most = AGENCY_RARE_BLOCKS if wanted == SHAPES["agency, rare"][0] else 2 * LIMIT
    assert node["Shared Hit Blocks"] + node["Shared Read Blocks"] <= most


async def middle(connection: PoolConnectionProxy) -> Position:
    """The place in the list of the trip in its middle."""
    trip_id = f"trip-{TRIPS // 2:09}"
    return await connection.fetchval("select created_at from trips where trip_id = $1", trip_id), trip_id


async def reading_node(
    connection: PoolConnectionProxy, statement: str, arguments: list[object]
) -> dict[str, Any]:
    """The node of the plan that reads the table, as it ran after several executions."""
    explained = await connection.prepare(f"explain (analyze, buffers, format json) {statement}")
    for _ in range(EXECUTIONS):
        found = await explained.fetchval(*arguments)
    node: dict[str, Any] = found[0]["Plan"]
    while "Relation Name" not in node:
        (node,) = node["Plans"]
    return node


@pytest.mark.parametrize(
    "wanted", [Wanted(TENANT, email=AGENCY), Wanted(TENANT, TripStatus.CONFIRMED, AGENCY)]
)
async def test_paging_while_trips_are_added_shows_each_once(full_record: Pool, wanted: Wanted) -> None:
    before = set(await every_id(full_record, wanted))
    reading = asyncio.create_task(every_id(full_record, wanted))
    added = 0
    while not reading.done():
        await add(full_record, wanted.status or TripStatus.BOOKING)
        added += 1
    seen = await reading
    assert len(seen) == len(set(seen))
    assert before <= set(seen)
    assert added > 0
    assert len(set(await every_id(full_record, wanted)) - before) == added


async def every_id(pool: Pool, wanted: Wanted) -> list[str]:
    """The ids of all trips, in the order of the list."""
    seen: list[str] = []
    cursor = None
    while True:
        page = await pages.page(pool, wanted, LIMIT, cursor)
        seen += [trip["trip_id"] for trip in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return seen


@pytest.mark.parametrize("limit", [1, 2, 500])
async def test_the_size_of_a_page_changes_nothing_else(full_record: Pool, limit: int) -> None:
    wanted = Wanted(TENANT, email="TRAVELLER-7@example.com")
    found = await pages.page(full_record, wanted, limit, None)
    assert len(found.items) == min(limit, TRIPS // 1000)
    assert (found.next_cursor is None) is (limit >= TRIPS // 1000)
    assert [trip["trip_id"] for trip in found.items] == (await every_id(full_record, wanted))[:limit]
