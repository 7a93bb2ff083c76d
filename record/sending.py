"""Whether a trip has begun to send: a mark in its row that is made once, and outlives a task that is lost.

A workflow task that is lost runs again and knows nothing of what it sent. What it finds here decides whether
its compensation must cover partners that it does not remember, and the same mark keeps a run that was only
slow from sending after another has settled that nothing was sent.
"""

from domain.partner import Sending
from record.pool import Pool, connected

_BEGUN, _BARRED = "begun", "barred"
_MARK = """
    update trips set sending = $2::sending, started_at = coalesce(started_at, now())
    where trip_id = $1 and sending is null returning true
    """


async def begin(pool: Pool, trip_id: str) -> Sending:
    """Leave to send, for the first time or again, unless it was barred."""
    return await _marked(pool, trip_id, _BEGUN, otherwise=Sending.BEGINS)


async def bar(pool: Pool, trip_id: str) -> Sending:
    """See to it that nothing is ever sent; too late where sending had begun."""
    return await _marked(pool, trip_id, _BARRED, otherwise=Sending.BARRED)


async def _marked(pool: Pool, trip_id: str, mark: str, otherwise: Sending) -> Sending:
    async with connected(pool) as connection:
        if await connection.fetchval(_MARK, trip_id, mark):
            return otherwise
        found = await connection.fetchval("select sending::text from trips where trip_id = $1", trip_id)
    return Sending.BARRED if found == _BARRED else Sending.HAD_BEGUN
