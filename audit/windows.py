"""The audit in windows: what is new, what is under way, and a part of what is old.

Its time and memory depend on what came since the last one and on what is under way, not on what lies behind.
How far it came is kept in the record.

- Trips that have ended since are judged. What the clean ones have confirmed is added to tallies.
- Trips under way, those that ended just now, and what was doubtful before are judged each time.
- Counters are held against the tallies and the trips that are not in them.
- A bounded number of old trips, and of rows of each partner's list, is gone through again, in turn.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from audit import again, totals
from audit.endpoints import Endpoints
from audit.errors import AuditError
from audit.look import Sources, opened
from audit.report import Report
from audit.subjects import AT_A_TIME, judged
from audit.summing import Summing
from audit.untallied import ended_after, places, unfinished
from record import audit as record
from record import audit_windows as windows
from record.audit_windows import read_place, written
from record.pool import RecordAway, open_pool

SETTLING = timedelta(minutes=1)
"""Longer than any write or sweep lasts. A trip that ended this long ago stands still everywhere."""

PAUSE_S = 1.0
LIMIT_S = 600.0
CATCH_UP_S = 300.0
"""So long an audit goes through what is new. What is left then is left to the next."""


async def audit_new(endpoints: Endpoints, *, pause_s: float = PAUSE_S, limit_s: float = LIMIT_S) -> Report:
    """Audit what came since the last such audit. Raises AuditError, as `audit.run.audit` does.

    Nothing is written but how far it came.
    """
    at, started = datetime.now(UTC), time.monotonic()
    summing = Summing()
    try:
        async with asyncio.timeout(limit_s), opened(endpoints) as sources:
            is_behind = await _windows(sources, summing, pause_s)
    except TimeoutError as error:
        raise AuditError(f"the audit took longer than {limit_s:g} s") from error
    except RecordAway as error:
        raise AuditError(f"the trips' record cannot be read: {error}") from error
    except windows.OtherAudit as error:
        raise AuditError(str(error)) from error
    return summing.report(at, time.monotonic() - started, is_behind=is_behind)


async def begin_afresh(endpoints: Endpoints) -> None:
    """Have the next audit in windows begin with the first trip. Raises AuditError."""
    try:
        async with open_pool(endpoints.database_url, size=1) as pool:
            await windows.forget(pool)
    except RecordAway as error:
        raise AuditError(f"the trips' record cannot be written: {error}") from error


async def _windows(sources: Sources, summing: Summing, pause_s: float) -> bool:
    """Whether more is new than was gone through."""
    is_behind = await _ended(sources, summing, pause_s)
    await _doubtful(sources, summing, pause_s)
    async for trip_ids in _open(sources):
        outcome = await judged(sources, trip_ids, pause_s=pause_s)
        summing.add(outcome)
        summing.note_open(outcome)
    await again.workflows(sources, summing, pause_s)
    await again.trips(sources, summing, pause_s)
    await again.lists(sources, summing, pause_s)
    if not is_behind:
        await totals.judged(sources, summing, pause_s)
    return is_behind


async def _ended(sources: Sources, summing: Summing, pause_s: float) -> bool:
    """Judge and tally what has ended since. Whether there is more."""
    ends = time.monotonic() + CATCH_UP_S
    until = (await record.clock(sources.pool) - SETTLING, "")
    before = await windows.place_of(sources.pool, windows.ENDED)
    while time.monotonic() < ends:
        batch = await windows.ended(sources.pool, read_place(before), until, AT_A_TIME)
        if not batch:
            return False
        outcome = await judged(sources, [trip_id for _, trip_id in batch], pause_s=pause_s)
        summing.add(outcome)
        after = written(batch[-1])
        await windows.move_ended(sources.pool, before, after, outcome.gone)
        before = after
    return True


async def _doubtful(sources: Sources, summing: Summing, pause_s: float) -> None:
    """Judge what was doubtful before, and settle what is clean by now or nowhere any more."""
    now, following = await places(sources)
    after = ""
    while doubts := await windows.doubts(sources.pool, after, AT_A_TIME):
        after = list(doubts)[-1]
        outcome = await judged(sources, list(doubts), pause_s=pause_s, everywhere=True)
        summing.add(outcome)
        for subject in doubts:
            is_nowhere = not outcome.facts.has_record(subject) and subject not in outcome.wrong
            if is_nowhere or subject in outcome.clean:
                units = outcome.units_of([subject])
                await windows.settle(sources.pool, subject, now, following, units)


async def _open(sources: Sources) -> AsyncIterator[list[str]]:
    """Trips that have not ended, and those that have and are not gone through yet, some at a time."""
    async for trip_ids in unfinished(sources):
        yield trip_ids
    place, _ = await places(sources)
    async for trip_ids in ended_after(sources, place):
        yield trip_ids
