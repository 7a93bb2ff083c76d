"""What a partner's counters must show, given its reservations before and after they were read.

A reservation that was the same in both reads stood so in between too, as none ever goes back to where it
was: it counts exactly. One that changed may have counted as held, as confirmed or not at all when the
counter was read. So a counter has a range, of one value where nothing moved. A counter outside its range
is wrong even under traffic.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from audit.facts import PartnerFacts, SeenReservation
from trip.partner import ReservationStatus

SWEEP = timedelta(seconds=30)
"""How long after its time an unconfirmed hold may still count as held, until its partner has swept."""

Units = Callable[[SeenReservation], Iterable[tuple[str, int]]]
"""The rows that a reservation counts in, and how many units in each."""


@dataclass
class Range:
    """From `low` to `high`, both included."""

    low: int = 0
    high: int = 0

    def add(self, units: int, certain: bool) -> None:
        """Count units that are there for certain, or may be there."""
        self.high += units
        if certain:
            self.low += units

    @property
    def is_exact(self) -> bool:
        """Whether only one value is possible."""
        return self.low == self.high

    def __contains__(self, value: int) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return str(self.low) if self.is_exact else f"{self.low} to {self.high}"


@dataclass
class Expected:
    """What a row must show as held and as confirmed."""

    held: Range = field(default_factory=Range)
    confirmed: Range = field(default_factory=Range)

    @property
    def is_exact(self) -> bool:
        """Whether nothing that counts in the row was moving."""
        return self.held.is_exact and self.confirmed.is_exact


def expected_rows(facts: PartnerFacts, units: Units, now: datetime) -> dict[str, Expected]:
    """What every row that a reservation counts in must show."""
    rows: dict[str, Expected] = {}
    for key in facts.every_key():
        before, after = facts.before.get(key), facts.after.get(key)
        known = after or before
        assert known is not None  # every_key gives only keys of either read
        held, confirmed = _counts(before, after, now)
        if held is None and confirmed is None:
            continue
        # A key that was closed has lost what it held; the earlier read still has its amount.
        for row, count in units(known if known.amount_minor is not None else before or known):
            expected = rows.setdefault(row, Expected())
            if held is not None:
                expected.held.add(count, certain=held)
            if confirmed is not None:
                expected.confirmed.add(count, certain=confirmed)
    return rows


def _counts(
    before: SeenReservation | None, after: SeenReservation | None, now: datetime
) -> tuple[bool | None, bool | None]:
    """Whether the reservation counted as held and as confirmed: True, None for no, False for perhaps."""
    if before != after:
        return False, False
    match after and after.status:
        case ReservationStatus.HELD:
            return True, None
        case ReservationStatus.CONFIRMED:
            return None, True
        case ReservationStatus.EXPIRED if _may_be_unswept(after, now):
            return False, None
    return None, None


def _may_be_unswept(expired: SeenReservation | None, now: datetime) -> bool:
    return bool(expired and expired.expires_at and now - expired.expires_at < SWEEP)
