"""What several looks make of what each of them shows."""

from audit.judge import Verdict
from audit.report import Discrepancy
from trip.partner import Partner

Identity = tuple[str, str, Partner | None]


class Findings:
    """What the looks so far have shown."""

    def __init__(self) -> None:
        self.looks = 0
        self.confirmed: dict[Identity, Discrepancy] = {}
        self._suspected: dict[Identity, Discrepancy] = {}
        self._owed: frozenset[str] | None = None

    def add(self, verdict: Verdict) -> None:
        """Take in one more look. What two looks in a row have shown is confirmed."""
        self.looks += 1
        found = {discrepancy.identity: discrepancy for discrepancy in verdict.discrepancies}
        again = {key: value for key, value in found.items() if key in self._suspected}
        self.confirmed |= again
        self._suspected = {key: value for key, value in found.items() if key not in self.confirmed}
        # What comes into flight after the first look is the business of the next audit.
        self._owed = verdict.in_flight if self._owed is None else self._owed & verdict.in_flight

    @property
    def suspects(self) -> set[str]:
        """The subjects of what the last look alone has shown."""
        return {found.subject for found in self._suspected.values()}

    @property
    def in_flight(self) -> list[str]:
        """What has not come to rest, or was seen to be wrong no more than once."""
        wrong = {found.subject for found in self.confirmed.values()}
        return sorted(self.suspects | ((self._owed or frozenset()) - wrong))

    @property
    def is_settled(self) -> bool:
        """Whether another look could show nothing more."""
        return not self.in_flight
