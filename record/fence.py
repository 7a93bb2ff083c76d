"""The marks in a trip's row. Each step from one mark to another is one statement, so that one run wins.

none -> begun -> captures -> undone      none -> barred -> undone      begun -> undone
"""

from typing import Any

from record.pool import Pool, connected
from record.trips import CHANGES, FINAL
from trip.calls import CaptureDecision
from trip.fence import Barring, Mark, Standing

_BEGIN = """
    update trips set
        started_at = coalesce(started_at, now()),
        sending = case when status = 'confirmed' then 'captures' else coalesce(sending, 'begun') end
    where trip_id = $1
    returning sending::text as mark, version, ending, case when sending <> 'begun' then trip end as trip
    """

_BAR = """
    update trips set
        started_at = coalesce(started_at, now()),
        ending = case when status = 'confirmed' or sending = 'captures' and not $4 then ending
                      else coalesce(ending, $2) end,
        sending = case
            when status = 'confirmed' then 'captures'
            when sending = 'captures' and not $4 then sending
            when $3 or sending is not null and sending <> 'barred' then 'undone'
            else 'barred' end
    where trip_id = $1
    returning sending::text as mark, version, ending, case when sending = 'captures' then trip end as trip
    """

_CAPTURE = """
    with captured as (
        update trips set
            sending = 'captures', started_at = coalesce(started_at, $5),
            trip = $2, status = $3, version = greatest(version + 1, $4), updated_at = $5
        where trip_id = $1 and (sending is null or sending = 'begun') and status <> all($6::text[])
        returning trip_id, version),
    logged as (insert into trip_events (trip_id, version, trip) select trip_id, version, $2 from captured)
    select pg_notify($7, trip_id) from captured
    """


async def begin(pool: Pool, trip_id: str) -> Standing:
    """Ask for leave to send holds, for the first time or again. BEGUN gives it."""
    return await _moved(pool, _BEGIN, trip_id) or Standing(mark=Mark.BEGUN)


async def bar(pool: Pool, barring: Barring) -> Standing:
    """Ask for leave to undo the trip. CAPTURES refuses. BARRED and UNDONE give it, and the ending to take."""
    ending = barring.ending.model_dump(mode="json")
    arguments = (barring.trip_id, ending, barring.sent, barring.after_capture)
    found = await _moved(pool, _BAR, *arguments)
    return found or Standing(mark=Mark.UNDONE, ending=barring.ending)


async def capture(pool: Pool, decision: CaptureDecision) -> bool:
    """Decide the capture, and write the trip as it is then. False if the trip is undone.

    Raises LookupError if the trip has no row, which then cannot decide anything.
    """
    trip = decision.trip
    async with connected(pool) as connection:
        done = await connection.execute(
            _CAPTURE,
            trip.trip_id,
            trip.model_dump(mode="json"),
            trip.status.value,
            decision.version,
            trip.updated_at,
            FINAL,
            CHANGES,
        )
        if done != "SELECT 0":
            return True
        row = await connection.fetchrow(
            "select sending::text as mark, status from trips where trip_id = $1", trip.trip_id
        )
    if row is None:
        raise LookupError(trip.trip_id)
    return bool(row["mark"] == Mark.CAPTURES or row["status"] == "confirmed")


async def _moved(pool: Pool, statement: str, *arguments: Any) -> Standing | None:
    async with connected(pool) as connection:
        row = await connection.fetchrow(statement, *arguments)
    return None if row is None else Standing.model_validate(dict(row))
