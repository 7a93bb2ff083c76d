"""Old trips, the partners' lists and new workflows: a bounded part of each, in turn.

In a small system each audit goes through all of it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from audit import temporal
from audit.facts import ACTIVE
from audit.look import Sources
from audit.subjects import AT_A_TIME, judged
from audit.summing import Summing
from audit.untallied import places
from record import audit as record
from record import audit_windows as windows
from record.audit_windows import BEFORE_ALL, read_place, written
from trip.partner import Partner

BATCHES = 2
"""So many times AT_A_TIME trips are judged again by one audit."""

PAGES = 10
"""So many pages of each partner's list are looked through by one audit."""

LAG = timedelta(minutes=1)
"""A workflow is in Temporal's list by then."""


async def trips(sources: Sources, summing: Summing, pause_s: float) -> None:
    """Judge trips again that are tallied, and count what they have confirmed anew."""
    end = await windows.place_of(sources.pool, windows.ENDED)
    before = await windows.place_of(sources.pool, windows.AGAIN)
    for _ in range(BATCHES if end else 0):
        batch = await windows.ended(sources.pool, read_place(before), read_place(end), AT_A_TIME)
        outcome = await judged(sources, [trip_id for _, trip_id in batch], pause_s=pause_s)
        summing.add(outcome)
        is_last = len(batch) < AT_A_TIME
        after = written(BEFORE_ALL if is_last else batch[-1])
        await windows.move_again(sources.pool, before, after, outcome.gone, end if is_last else None)
        if is_last:
            return
        before = after


async def lists(sources: Sources, summing: Summing, pause_s: float) -> None:
    """Look for reservations that belong to no trip in some pages of each partner's list."""
    for partner in sources.partners:
        what = f"list of {partner}"
        before = await windows.place_of(sources.pool, what)
        cursor: str | None = before
        for _ in range(PAGES):
            cursor = await _page(sources, summing, partner, cursor, pause_s)
            if not cursor:
                break
        await windows.move(sources.pool, what, before, cursor or "")


async def _page(
    sources: Sources, summing: Summing, partner: Partner, cursor: str | None, pause_s: float
) -> str | None:
    """The cursor of the next page, if there is one."""
    reader = sources.partners[partner]
    reader.unsound.clear()
    rows, following = await reader.page(cursor)
    active = [row.key for row in rows if row.status in ACTIVE]
    ordered = await windows.that_ordered(sources.pool, active, partner)
    summing.note_judged("without_trip", len(ordered))
    await _strangers(sources, summing, [*(set(active) - ordered), *reader.unsound], pause_s)
    return following


async def workflows(sources: Sources, summing: Summing, pause_s: float) -> None:
    """Look for trips' workflows that no record has, among those that started since."""
    what = "workflows"
    before = await windows.place_of(sources.pool, what)
    now = await record.clock(sources.pool)
    since = BEFORE_ALL[0] if before is None else datetime.fromisoformat(before)
    async for ids in temporal.started_since(sources.temporal, since):
        known = {row["trip_id"] async for row in record.some_versions(sources.pool, ids)}
        summing.note_judged("without_record", len(known))
        await _strangers(sources, summing, [one for one in ids if one not in known], pause_s)
    await windows.move(sources.pool, what, before, (now - LAG).isoformat())


async def _strangers(sources: Sources, summing: Summing, keys: Sequence[str], pause_s: float) -> None:
    """Judge keys that no trip explains. What is wrong is looked at by each audit from now on."""
    for start in range(0, len(keys), AT_A_TIME):
        some = keys[start : start + AT_A_TIME]
        outcome = await judged(sources, some, pause_s=pause_s, everywhere=True)
        summing.add_findings(outcome.verdict, outcome.findings)
        wrong = [one for one in some if one in outcome.wrong]
        await windows.doubt(sources.pool, wrong, *await places(sources))
