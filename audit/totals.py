"""The partners' counters against the tallies, and against all trips and keys that are in no tally."""

import asyncio
from collections.abc import Collection
from dataclasses import replace

from audit.facts import Facts, PartnerFacts
from audit.findings import Findings
from audit.judge import TOTAL_CHECKS, judge
from audit.look import Sources
from audit.partners import PartnerReader
from audit.record import ReadTrips, collect
from audit.subjects import read_reservations
from audit.summing import Summing
from audit.untallied import places, untallied
from record import audit as record
from record import audit_windows as windows
from trip.partner import Partner

LOOKS = 5


async def judged(sources: Sources, summing: Summing, pause_s: float) -> None:
    """Look until the counters are judged, at most LOOKS times."""
    findings = Findings()
    while True:
        facts = await _look(sources)
        verdict = await asyncio.to_thread(judge, facts, TOTAL_CHECKS)
        moving = [name for tally in verdict.tallies for name in tally.moving]
        findings.add(replace(verdict, in_flight=frozenset(moving)))
        if findings.is_settled or findings.looks >= LOOKS:
            break
        await asyncio.sleep(pause_s)
    summing.add_findings(verdict, findings)
    summing.note_moving(findings.in_flight)


async def _look(sources: Sources) -> Facts:
    """The trips' reservations are read before the counters and after them, as in a look at everything.

    A trip that was accepted between the reads is in the second alone, so that it counts as moving.
    """
    (place, _), tallied = await places(sources), await windows.tallies(sources.pool)
    known = await untallied(sources, place)
    before = await _reservations(sources, known)
    counted = await _counters(sources)
    since = await untallied(sources, place) - known
    after = await _reservations(sources, known | since)
    read = ReadTrips()
    await collect(record.some_trips(sources.pool, sorted(known | since)), read)
    if (await places(sources))[0] != place:
        raise windows.OtherAudit("another audit in windows runs; wait for its end")
    return Facts(
        now=await record.clock(sources.pool),
        trips=read.trips,
        unreadable=read.unreadable,
        accepted_since=frozenset(since),
        versions={},
        partners={
            partner: replace(counters, before=before[partner].after, after=after[partner].after)
            for partner, counters in counted.items()
        },
        workflows={},
        tallied=tallied,
    )


async def _counters(sources: Sources) -> dict[Partner, PartnerFacts]:
    async def one(reader: PartnerReader) -> PartnerFacts:
        reader.unsound.clear()
        counters = await reader.counters()
        return PartnerFacts({}, {}, unsound=dict(reader.unsound), **counters)

    found = await asyncio.gather(*(one(reader) for reader in sources.partners.values()))
    return dict(zip(sources.partners, found, strict=True))


async def _reservations(sources: Sources, keys: Collection[str]) -> dict[Partner, PartnerFacts]:
    return await read_reservations(sources, dict.fromkeys(sources.partners, keys))
