"""The report of an audit in windows, from what each of its parts has shown."""

from collections import Counter
from datetime import datetime

from audit.findings import Findings, Identity
from audit.judge import CHECKS, Verdict
from audit.report import Checked, Discrepancy, Report
from audit.subjects import Outcome


class Summing:
    """What the parts so far have shown. A trip that two parts look at counts in both."""

    def __init__(self) -> None:
        self._looks = 0
        self._trips = 0
        self._reservations = 0
        self._judged: Counter[str] = Counter()
        self._found: dict[Identity, Discrepancy] = {}
        self._in_flight: set[str] = set()
        self._needs_attention: set[str] = set()

    def add(self, outcome: Outcome) -> None:
        """Take in the looks at some subjects."""
        self._trips += len(outcome.facts.trips) + len(outcome.facts.unreadable)
        self._reservations += sum(len(partner.after) for partner in outcome.facts.partners.values())
        self.add_findings(outcome.verdict, outcome.findings)
        self._in_flight |= outcome.findings.suspects

    def add_findings(self, verdict: Verdict, findings: Findings) -> None:
        """Take in what was found, and how many were judged in one look."""
        self._looks += findings.looks
        self._judged.update({tally.code: tally.judged for tally in verdict.tallies})
        self._found |= findings.confirmed
        self._needs_attention |= set(verdict.needs_attention)

    def note_open(self, outcome: Outcome) -> None:
        """Take in which of the trips were not at rest."""
        self._in_flight |= outcome.verdict.in_flight - outcome.clean

    def note_judged(self, code: str, count: int) -> None:
        """Take in how many were judged, and found to be right, beside the looks."""
        self._judged[code] += count

    def note_moving(self, names: list[str]) -> None:
        """Take in which counters were not at rest."""
        self._in_flight |= set(names)

    def report(self, at: datetime, took_s: float, *, is_behind: bool) -> Report:
        """All of it."""
        wrong = Counter(found.code for found in self._found.values())
        subjects = {found.subject for found in self._found.values()}
        return Report(
            at=at,
            took_s=took_s,
            looks=self._looks,
            trips=self._trips,
            reservations=self._reservations,
            checked=[
                Checked(code=code, what=what, judged=self._judged[code], wrong=wrong[code])
                for code, what in ((check.code, check.what) for check in CHECKS)
            ],
            discrepancies=list(self._found.values()),
            in_flight=sorted(self._in_flight - subjects),
            needs_attention=sorted(self._needs_attention),
            is_behind=is_behind,
        )
