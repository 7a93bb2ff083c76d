"""All checks on one look."""

from collections.abc import Sequence
from dataclasses import dataclass

from audit.counter_checks import COUNTER_CHECKS
from audit.facts import Facts
from audit.report import Discrepancy
from audit.tally import Check, Tally
from audit.trip_checks import ROWS_CHECK, TRIP_CHECKS
from audit.workflow_checks import WORKFLOW_CHECKS
from trip.trip import TripStatus

CHECKS: tuple[Check, ...] = (*TRIP_CHECKS, *WORKFLOW_CHECKS, *COUNTER_CHECKS)

SINGLE_CHECKS: tuple[Check, ...] = (*TRIP_CHECKS, *WORKFLOW_CHECKS)
"""Those that need no more than the trips or keys that they judge."""

TOTAL_CHECKS: tuple[Check, ...] = (ROWS_CHECK, *COUNTER_CHECKS)
"""Those of a partner's counters."""


@dataclass(frozen=True)
class Verdict:
    """What one look shows. A discrepancy may still be a trick of timing until another look shows it too."""

    tallies: tuple[Tally, ...]
    in_flight: frozenset[str]
    needs_attention: tuple[str, ...]

    @property
    def discrepancies(self) -> list[Discrepancy]:
        """Those of all checks."""
        return [found for tally in self.tallies for found in tally.discrepancies]


def judge(facts: Facts, checks: Sequence[Check] = CHECKS) -> Verdict:
    """Put the checks to the look."""
    tallies = tuple(Tally(check.code) for check in checks)
    for check, tally in zip(checks, tallies, strict=True):
        check.judge(facts, tally)
    waiting = {t.trip_id for t in facts.unfinished if t.status == TripStatus.NEEDS_ATTENTION}
    settled = {trip.trip_id for trip in facts.settled}
    moving = {name for tally in tallies for name in tally.moving}
    return Verdict(
        tallies=tallies,
        in_flight=frozenset(moving | (facts.trips.keys() - settled - waiting)),
        needs_attention=tuple(sorted(waiting)),
    )
