"""Trips and keys that are in no tallies, some at a time."""

from collections.abc import AsyncIterator

from audit.look import Sources
from audit.subjects import AT_A_TIME
from record import audit as record
from record import audit_windows as windows
from record.audit_windows import Place, read_place


async def places(sources: Sources) -> tuple[Place, Place]:
    """Up to which trip the tallies `now` have come, and the tallies `next`."""
    now, following = [await windows.place_of(sources.pool, what) for what in (windows.ENDED, windows.AGAIN)]
    return read_place(now), read_place(following)


async def unfinished(sources: Sources) -> AsyncIterator[list[str]]:
    """Trips that have not ended."""
    after = ""
    while trip_ids := await windows.unfinished(sources.pool, after, AT_A_TIME):
        yield trip_ids
        after = trip_ids[-1]


async def ended_after(sources: Sources, place: Place) -> AsyncIterator[list[str]]:
    """Trips that have ended after the place, up to now."""
    now = (await record.clock(sources.pool), "")
    while batch := await windows.ended(sources.pool, place, now, AT_A_TIME):
        yield [trip_id for _, trip_id in batch]
        place = batch[-1]


async def untallied(sources: Sources, place: Place) -> set[str]:
    """All trips and keys that are not in tallies up to the place: under way, ended since, or doubtful."""
    found = {one async for some in unfinished(sources) for one in some}
    found |= {one async for some in ended_after(sources, place) for one in some}
    after = ""
    while doubts := await windows.doubts(sources.pool, after, AT_A_TIME):
        found |= {subject for subject, in_now in doubts.items() if not in_now}
        after = list(doubts)[-1]
    return found
