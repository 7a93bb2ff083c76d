"""The marks in a trip's row. Each step from one mark to another is one statement, so that one run wins.

none -> begun -> captures -> undone      none -> barred -> undone      begun -> undone
"""

from record.pool import Pool, connected, document
from record.trips import FINAL
from trip.calls import CaptureDecision
from trip.fence import Barring, Ending, Mark, Standing

# Both moments are by PostgreSQL's clock.
_LEFT_S = """
    extract(epoch from created_at - clock_timestamp())::float8 + (booking -> 'order' ->> 'deadline_s')::float8
    """

_BEGIN = f"""
    update trips set
        started_at = coalesce(started_at, now()),
        ending = case when sending is null and status <> 'confirmed' and {_LEFT_S} <= 0 then $2
                      else ending end,
        sending = case
            when status = 'confirmed' then 'captures'
            when sending is null and {_LEFT_S} <= 0 then 'barred'
            else coalesce(sending, 'begun') end
    where trip_id = $1
    returning sending::text as mark, version, ending, case when sending <> 'begun' then trip end as trip,
              {_LEFT_S} as left_s
    """  # noqa: S608  an expression of this module

_LEFT = f"select {_LEFT_S} from trips where trip_id = $1"  # noqa: S608  as above

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
            trip = $2::text::json, status = $3, version = greatest(version + 1, $4), updated_at = $5
        where trip_id = $1 and (sending is null or sending = 'begun') and status <> all($6::text[])
        returning trip_id, version, trip)
    insert into trip_events (trip_id, version, trip) select trip_id, version, trip from captured
    """


async def begin(pool: Pool, trip_id: str, too_late: Ending) -> tuple[Standing, float | None]:
    """Ask for leave to send holds, for the first time or again. BEGUN gives it.

    If nothing was sent before the deadline, the trip is barred and ends with `too_late`. Also returns how
    many seconds are left until the deadline, None if the trip has no row.
    """
    async with connected(pool) as connection:
        row = await connection.fetchrow(_BEGIN, trip_id, too_late.model_dump(mode="json"))
    if row is None:
        return Standing(mark=Mark.BEGUN), None
    found = dict(row)
    left_s: float | None = found.pop("left_s")
    return Standing.model_validate(found), left_s


async def left_s(pool: Pool, trip_id: str) -> float | None:
    """How many seconds the trip has left until its deadline. None if it has no row."""
    async with connected(pool) as connection:
        left: float | None = await connection.fetchval(
            _LEFT,
            trip_id,
        )
    return left


async def bar(pool: Pool, barring: Barring) -> Standing:
    """Ask for leave to undo the trip. CAPTURES refuses. BARRED and UNDONE give it, and the ending to take."""
    ending = barring.ending.model_dump(mode="json")
    arguments = (barring.trip_id, ending, barring.sent, barring.after_capture)
    async with connected(pool) as connection:
        row = await connection.fetchrow(_BAR, *arguments)
    if row is None:
        return Standing(mark=Mark.UNDONE, ending=barring.ending)
    return Standing.model_validate(dict(row))


async def capture(pool: Pool, decision: CaptureDecision) -> bool:
    """Decide the capture, and write the trip as it is then. False if the trip is undone.

    Raises LookupError if the trip has no row, which then cannot decide anything.
    """
    trip = decision.trip
    async with connected(pool) as connection:
        done = await connection.execute(
            _CAPTURE,
            trip.trip_id,
            document(trip),
            trip.status.value,
            decision.version,
            trip.updated_at,
            FINAL,
        )
        if done != "INSERT 0 0":
            return True
        row = await connection.fetchrow(
            "select sending::text as mark, status from trips where trip_id = $1", trip.trip_id
        )
    if row is None:
        raise LookupError(trip.trip_id)
    return bool(row["mark"] == Mark.CAPTURES or row["status"] == "confirmed")
