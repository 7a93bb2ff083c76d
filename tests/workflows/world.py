"""What a trip's activities change: the trip's row and the partners, as simple as they can be."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from trip.calls import BreakerCheck, BreakerFinding, CaptureDecision, PartnerCall
from trip.fence import Barring, Ending, Mark, Standing, deadline_exceeded, failed
from trip.partner import (
    PARTNER_UNAVAILABLE,
    PAYMENT,
    UNDONE,
    CallError,
    Partner,
    PartnerAnswer,
    Reservation,
    ReservationStatus,
    Verb,
)
from trip.trip import FINAL_STATUSES, Failure, Trip, TripStatus

PRICE = 1000


class Failed(Exception):
    """How an activity fails; `final` means that the server does not run it again."""

    def __init__(self, error: CallError, *, final: bool) -> None:
        super().__init__(error.message)
        self.error = error
        self.final = final


def away() -> Failed:
    """A call that was not answered."""
    error = CallError(code=PARTNER_UNAVAILABLE, message="no answer", attempts=1, final=False)
    return Failed(error, final=False)


@dataclass
class Row:
    """The model of a trip's row. tests/system/test_fence.py holds the statements of record/ against it."""

    mark: Mark | None = None
    version: int = 0
    status: TripStatus = TripStatus.BOOKING
    trip: Trip | None = None
    ending: Ending | None = None
    is_late: bool = False

    def begin(self, too_late: Ending) -> Standing:
        """As record.fence.begin."""
        if self.status is TripStatus.CONFIRMED:
            self.mark = Mark.CAPTURES
        elif self.mark is None and self.is_late:
            self.mark, self.ending = Mark.BARRED, too_late
        self.mark = self.mark or Mark.BEGUN
        return self._standing(shows_trip=self.mark is not Mark.BEGUN)

    def bar(self, barring: Barring) -> Standing:
        """As record.fence.bar."""
        stands = self.mark is Mark.CAPTURES and not barring.after_capture
        if self.status is TripStatus.CONFIRMED or stands:
            self.mark = Mark.CAPTURES
            return self._standing(shows_trip=True)
        self.ending = self.ending or barring.ending
        nothing_sent = self.mark in (None, Mark.BARRED) and not barring.sent
        self.mark = Mark.BARRED if nothing_sent else Mark.UNDONE
        return self._standing(shows_trip=False)

    def capture(self, decision: CaptureDecision) -> bool:
        """As record.fence.capture."""
        if self.mark in (None, Mark.BEGUN) and self.status not in FINAL_STATUSES:
            self.mark = Mark.CAPTURES
            self._write(decision.trip, decision.version)
        return self.mark is Mark.CAPTURES or self.status is TripStatus.CONFIRMED

    def save(self, trip: Trip, version: int) -> int | None:
        """As record.trips.save."""
        if self.status in FINAL_STATUSES:
            return None
        is_new = version > self.version or trip.status in FINAL_STATUSES
        if is_new and self._may_be(trip):
            self._write(trip, version)
            return None
        return self.version if self.version >= version else None

    def _may_be(self, trip: Trip) -> bool:
        if self.mark is Mark.CAPTURES:
            return trip.is_held_in_full
        return self.mark not in (Mark.BARRED, Mark.UNDONE) or trip.status is not TripStatus.CONFIRMED

    def _write(self, trip: Trip, version: int) -> None:
        self.trip, self.status = trip, trip.status
        self.version = max(self.version + 1, version)

    def _standing(self, *, shows_trip: bool) -> Standing:
        trip = self.trip if shows_trip else None
        return Standing(mark=self.mark or Mark.BEGUN, version=self.version, ending=self.ending, trip=trip)


Behaviour = Callable[["World", Verb, Partner], None]
"""Raises Failed if a call is to fail before it takes effect."""


@dataclass
class World:
    """One trip's row and its reservations by partner. `record_away` counts the local questions that fail,
    and `kept_out` the checks that find a breaker open.

    What is held from now on expires at `expires_at`. `is_paid` and `is_refused_late` say whether the payment
    was ever captured, and whether a confirmation was ever refused.
    """

    behaviour: Behaviour
    row: Row = field(default_factory=Row)
    reservations: dict[Partner, ReservationStatus] = field(default_factory=dict)
    record_away: int = 0
    kept_out: int = 0
    failures: int = 0
    expires_at: datetime | None = None
    is_paid: bool = False
    is_refused_late: bool = False
    calls: list[str] = field(default_factory=list)

    def run(self, name: str, arguments: list[Any], *, is_local: bool) -> Any:
        """Run one attempt of an activity. Raises Failed."""
        self.calls.append(name)
        if name in _OF_THE_RECORD:
            self._reach_record(is_local=is_local)
            return _OF_THE_RECORD[name](self, is_local, *arguments)
        verb, partner = name.split("_")
        return self._call(Verb(verb), Partner(partner), arguments[0], is_local=is_local)

    def _reach_record(self, *, is_local: bool) -> None:
        if self.record_away:
            self.record_away -= is_local
            if is_local:
                raise away()

    def _call(self, verb: Verb, partner: Partner, call: PartnerCall, *, is_local: bool) -> PartnerAnswer:
        if call.decision is not None:
            if self.record_away and is_local:
                raise away()
            if not self.record_away and not self.row.capture(call.decision):
                raise self.refusal(UNDONE)
        self.behaviour(self, verb, partner)
        self.take_effect(verb, partner)
        amount = -10 if partner == "points" else PRICE
        reservation = Reservation(
            key="trip",
            reference="R",
            status=self.reservations[partner],
            amount_minor=amount,
            currency="JPY",
            expires_at=self.expires_at,
        )
        return PartnerAnswer(reservation=reservation, attempts=call.made + 1)

    def take_effect(self, verb: Verb, partner: Partner) -> None:
        """Change the reservation as the contract says. Raises Failed if that is refused."""
        try:
            self.reservations[partner] = self._next(verb, self.reservations.get(partner))
        except Failed:
            self.is_refused_late |= verb is Verb.CONFIRM
            raise
        self.is_paid |= verb is Verb.CONFIRM and partner is PAYMENT

    def _next(self, verb: Verb, found: ReservationStatus | None) -> ReservationStatus:
        if verb is Verb.RELEASE:
            return ReservationStatus.RELEASED
        if found in (ReservationStatus.RELEASED, ReservationStatus.EXPIRED):
            too_late = found is ReservationStatus.EXPIRED and verb is Verb.CONFIRM
            raise self.refusal("expired" if too_late else "closed")
        if verb is Verb.CONFIRM and found is None:
            raise self.refusal("not_found")
        return ReservationStatus.CONFIRMED if verb is Verb.CONFIRM else found or ReservationStatus.HELD

    @staticmethod
    def refusal(code: str) -> Failed:
        """A refusal for good."""
        return Failed(CallError(code=code, message=code, attempts=1, final=True), final=True)

    def _check(self, is_local: bool, check: BreakerCheck) -> BreakerFinding:
        if not is_local:
            return BreakerFinding(open_at=None)
        if self.kept_out:
            self.kept_out -= 1
            partner = check.partners[0]
            is_open = Failure(step=partner, code=PARTNER_UNAVAILABLE, message="the breaker is open")
            barring = Barring(trip_id=check.trip_id, ending=failed(is_open))
            return BreakerFinding(open_at=partner, standing=self.row.bar(barring))
        standing = self.row.begin(failed(deadline_exceeded(check.partners[0])))
        return BreakerFinding(open_at=None, standing=standing)

    def _bar(self, _is_local: bool, barring: Barring) -> Standing:
        return self.row.bar(barring)

    def _save(self, _is_local: bool, trip: Trip, version: int) -> int | None:
        return self.row.save(trip, version)


_OF_THE_RECORD: dict[str, Callable[..., Any]] = {
    "check_breaker": World._check,
    "bar_sending": World._bar,
    "save_trip": World._save,
}
