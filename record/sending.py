"""How far a trip has come in sending: marks in its row, each made once, which outlive a task that is lost.

A workflow task that is lost runs again and knows nothing of what it sent. What it finds here decides whether
its compensation must cover partners that it does not remember, and whether there may be one at all: of a run
that decides the capture and one that is to undo the trip, the row lets one win. The same marks keep a run
that was only slow from sending after another has settled that nothing was sent.
"""

from record import trips
from record.pool import Pool, connected
from trip.calls import CaptureDecision
from trip.partner import Sending
from trip.trip import Barring

_BEGUN, _CAPTURES = "begun", "captures"
_STANDS = {
    _BEGUN: Sending.HAD_BEGUN,
    "barred": Sending.BARRED,
    "undone": Sending.UNDONE,
    _CAPTURES: Sending.CAPTURES,
}


async def begin(pool: Pool, trip_id: str) -> Sending:
    """Leave to send, for the first time or again, unless it was barred."""
    async with connected(pool) as connection:
        if await connection.fetchval(
            """
            update trips set sending = 'begun', started_at = coalesce(started_at, now())
            where trip_id = $1 and sending is null returning true
            """,
            trip_id,
        ):
            return Sending.BEGINS
    return _STANDS[await _standing(pool, trip_id) or _BEGUN]


async def bar(pool: Pool, trip_id: str) -> Barring:
    """See to it that nothing more is sent but releases, and whether anything was; too late where captured."""
    async with connected(pool) as connection:
        found = await connection.fetch(
            """
            update trips set started_at = coalesce(started_at, now()), sending = case
                when sending is null then 'barred'
                when sending = 'begun' then 'undone'
                else sending end
            where trip_id = $1 returning sending::text, trip
            """,
            trip_id,
        )
    if not found:
        return Barring(sending=Sending.UNDONE)
    stands = _STANDS[found[0]["sending"]]
    return Barring(sending=stands, trip=found[0]["trip"] if stands is Sending.CAPTURES else None)


async def decide_capture(pool: Pool, decision: CaptureDecision) -> bool:
    """Write the trip, held in full, and that it is captured; False where that was barred.

    Raises LookupError where the trip has no row, which then cannot be what decides.
    """
    trip_id = decision.trip.trip_id
    if await trips.save(pool, decision.trip, decision.version, captures=True):
        return True
    if (standing := await _standing(pool, trip_id)) is None:
        raise LookupError(trip_id)
    return standing == _CAPTURES


async def _standing(pool: Pool, trip_id: str) -> str | None:
    async with connected(pool) as connection:
        found: str | None = await connection.fetchval(
            "select sending::text from trips where trip_id = $1", trip_id
        )
    return found
