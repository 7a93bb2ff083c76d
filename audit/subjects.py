"""Looks at some trips and keys, and at nothing else: their time does not depend on what lies behind."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import asyncpg

from audit import keyed, temporal
from audit.counter_checks import expected
from audit.facts import Facts, PartnerFacts, TripFact
from audit.findings import Findings
from audit.judge import SINGLE_CHECKS, Verdict, judge
from audit.look import Sources, is_doubtful
from audit.record import ReadTrips, collect
from record import audit as record
from record.audit_windows import Gone
from temporal.workflows import WorkflowState
from trip.partner import Partner

LOOKS = 3
AT_A_TIME = 1000
"""How many subjects are looked at together, which bounds the memory of an audit in windows."""


@dataclass(frozen=True)
class Outcome:
    """What some looks have shown of the subjects.

    `clean` are trips that have ended, stood still and are as they have to be.
    """

    facts: Facts
    verdict: Verdict
    findings: Findings
    wrong: frozenset[str]
    clean: frozenset[str]
    doubtful: tuple[str, ...]

    @property
    def gone(self) -> Gone:
        """The trips as gone through."""
        return Gone(self.clean, self.units_of(self.clean), self.doubtful)

    def units_of(self, trip_ids: Collection[str]) -> dict[tuple[str, str], int]:
        """What these trips have confirmed, by partner and row."""
        partners = {}
        for partner, found in self.facts.partners.items():
            kept = {key: found.after[key] for key in trip_ids if key in found.after}
            partners[partner] = replace(found, before=kept, after=kept)
        restricted = replace(self.facts, partners=partners)
        return {
            (partner.value, row): counted.confirmed.low
            for partner in partners
            for row, counted in expected(restricted, partner).items()
            if counted.confirmed.low
        }


async def judged(
    sources: Sources, subjects: Sequence[str], *, pause_s: float, everywhere: bool = False
) -> Outcome:
    """Look at the subjects, and again at those that look wrong. Raises AuditError and RecordAway.

    `everywhere`: ask all partners for all of them, and Temporal for those that are not in the record.
    """
    findings = Findings()
    facts = await look_at(sources, subjects, everywhere=everywhere)
    verdict = await asyncio.to_thread(judge, facts, SINGLE_CHECKS)
    findings.add(verdict)
    while findings.suspects and findings.looks < LOOKS:
        await asyncio.sleep(pause_s)
        again = await look_at(sources, _named(subjects, findings.suspects), everywhere=everywhere)
        findings.add(judge(again, SINGLE_CHECKS))
    wrong = findings.suspects | {found.subject for found in findings.confirmed.values()}
    clean = frozenset(trip.trip_id for trip in facts.settled) - wrong
    return Outcome(
        facts=facts,
        verdict=verdict,
        findings=findings,
        wrong=frozenset(wrong),
        clean=clean,
        doubtful=tuple(one for one in subjects if one not in clean),
    )


def _named(subjects: Sequence[str], suspects: set[str]) -> Sequence[str]:
    """The subjects that are suspect; all of them, if a suspect is none of them."""
    named = [one for one in subjects if one in suspects]
    return named if len(named) == len(suspects) else subjects


async def look_at(sources: Sources, subjects: Sequence[str], *, everywhere: bool = False) -> Facts:
    """One look. A reservation's earlier and later read are one."""
    read = ReadTrips()
    await collect(record.some_trips(sources.pool, subjects), read)
    strangers = [one for one in subjects if one not in read.trips and one not in read.unreadable]
    workflows = asyncio.create_task(_workflows(sources, read.trips, strangers if everywhere else []))
    try:
        keys = {
            partner: subjects
            if everywhere
            else [trip.trip_id for trip in read.trips.values() if partner in trip.ordered]
            for partner in sources.partners
        }
        partners = await read_reservations(sources, keys)
        states = await workflows
    finally:
        workflows.cancel()
    return Facts(
        now=await record.clock(sources.pool),
        trips=read.trips,
        unreadable=read.unreadable,
        accepted_since=frozenset(),
        versions=await _versions(record.some_versions(sources.pool, subjects)),
        partners=partners,
        workflows=states,
    )


async def read_reservations(
    sources: Sources, keys: Mapping[Partner, Iterable[str]]
) -> dict[Partner, PartnerFacts]:
    """The reservations of these keys at each partner."""

    async def one(partner: Partner) -> PartnerFacts:
        reader = sources.partners[partner]
        reader.unsound.clear()
        found = await keyed.read(reader, keys[partner])
        return PartnerFacts(before=found, after=found, unsound=dict(reader.unsound))

    found = await asyncio.gather(*(one(partner) for partner in sources.partners))
    return dict(zip(sources.partners, found, strict=True))


async def _workflows(
    sources: Sources, trips: Mapping[str, TripFact], strangers: Sequence[str]
) -> dict[str, WorkflowState]:
    states = await temporal.going_on(sources.temporal, list(trips))
    doubtful = [trip.trip_id for trip in trips.values() if is_doubtful(trip, states.get(trip.trip_id))]
    found = await temporal.described(sources.temporal, [*doubtful, *strangers])
    # A key that has neither a trip nor a workflow is nothing to speak of.
    return states | {
        one: state for one, state in found.items() if one in trips or state is not WorkflowState.MISSING
    }


async def _versions(rows: AsyncIterator[asyncpg.Record]) -> dict[str, tuple[str, int]]:
    return {row["trip_id"]: (row["status"], row["version"]) async for row in rows}
