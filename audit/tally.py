"""What one check makes of one look."""

from collections.abc import Callable
from dataclasses import dataclass, field

from audit.facts import Facts
from audit.report import Discrepancy
from trip.partner import Partner


@dataclass
class Tally:
    """Counts of one check; `moving` names what could not be judged, as it did not stand still."""

    code: str
    judged: int = 0
    discrepancies: list[Discrepancy] = field(default_factory=list)
    moving: list[str] = field(default_factory=list)

    def wrong(self, subject: str, problem: str, remedy: str, partner: Partner | None = None) -> None:
        """Note a discrepancy; it is counted as judged by the check itself."""
        found = Discrepancy(code=self.code, subject=subject, partner=partner, problem=problem, remedy=remedy)
        self.discrepancies.append(found)


@dataclass(frozen=True)
class Check:
    """A question that is put to every look. `code` is stable; `what` holds where nothing is wrong."""

    code: str
    what: str
    judge: Callable[[Facts, Tally], None]
