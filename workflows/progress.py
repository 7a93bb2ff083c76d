"""How far a trip has come: kept in the workflow, written to the record, shown in the Temporal UI."""

import contextlib
from collections.abc import Iterator

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate

from workflows.saving import save_trip
from workflows.tasks import until

with workflow.unsafe.imports_passed_through():
    from temporal.attributes import TRIP_PARTNER, TRIP_STATUS
    from trip.calls import CaptureDecision
    from trip.partner import Partner, Verb
    from trip.trip import (
        FINAL_STATUSES,
        Booking,
        CallRecord,
        Failure,
        Intervention,
        Step,
        StepError,
        StepStatus,
        Trip,
        TripStatus,
        new_trip,
    )

ROUNDS = 3
"""How often all waiting tasks get their turn until a change that is due is being written."""

_CALL_FIELDS = {Verb.CONFIRM: "confirmation", Verb.RELEASE: "release"}


def perhaps_sent(trip: Trip) -> Trip:
    """The trip as another run has left it, which may have sent more than it came to write."""
    for step in trip.steps:
        if step.status is StepStatus.PENDING:
            step.status = StepStatus.UNKNOWN
    return trip


class Progress:
    """The trip's record while it is being made. Every change goes through here, so that none goes unsaved."""

    def __init__(self, booking: Booking) -> None:
        left = booking.takeover and booking.takeover.trip
        self.trip: Trip = perhaps_sent(left) if left else new_trip(booking)
        self._phase = TripStatus.BOOKING
        self._stuck: list[Partner] = []
        self._unsaved = False
        self._version = 0
        self._soon_more = 0
        self._is_searchable = booking.is_searchable
        self._has_been_unusual = False

    def step(self, partner: Partner) -> Step:
        """The step of `partner`, to read; changes go through `update_step`."""
        return self.trip.step(partner)

    def update_step(self, partner: Partner, **changes: object) -> None:
        """Set the named fields of a step."""
        step = self.step(partner)
        for field, value in changes.items():
            setattr(step, field, value)
        self._touch()

    def note_call(self, verb: Verb, partner: Partner, attempts: int, error: StepError | None = None) -> None:
        """Add to what is known of a step's confirmation or release: more attempts, and what came of them."""
        field = _CALL_FIELDS[verb]
        before: CallRecord | None = getattr(self.step(partner), field)
        record = CallRecord(
            attempts=attempts + (before.attempts if before else 0),
            at=workflow.now(),
            error=error or (before.error if before else None),
        )
        self.update_step(partner, **{field: record})

    def note_intervention(self, intervention: Intervention) -> None:
        """Keep in the trip what was done to it from outside."""
        self.trip.interventions.append(intervention)
        self._touch()

    def set_total(self, amount_minor: int) -> None:
        """The price is known: what is left to pay, in minor units."""
        self.trip.total.amount_minor = amount_minor
        self._touch()

    def enter(self, phase: TripStatus, failure: Failure | None = None) -> None:
        """The trip goes into another phase, and why."""
        self._phase = phase
        if failure is not None:
            self.trip.failure = failure
        self._show_status(failure.step if failure else None)

    def stuck(self, partner: Partner, error: StepError) -> None:
        """A call that must get through does not: a person may help."""
        if partner not in self._stuck:
            self._stuck.append(partner)
        self.update_step(partner, error=error)
        self._show_status(partner)

    def freed(self, partner: Partner) -> None:
        """The call that was stuck, if it was, is through."""
        if partner in self._stuck:
            self._stuck.remove(partner)
            self._show_status()

    def is_stuck(self, partner: Partner) -> bool:
        """Whether an operator's help is asked for at this step."""
        return partner in self._stuck

    async def keep_saved(self) -> None:
        """Write the record, its latest state each time, until a final one is written."""
        locally = True
        while True:
            await self._to_be_saved()
            self._unsaved = False
            status, version = self.trip.status, self._next_version()
            kept = await save_trip(self.trip, version, locally=locally)
            # A run that was lost may go on for a while, and writes by local activities alone.
            locally = kept is None
            if kept is not None:
                self.go_on_from(kept)
                self._unsaved = True
            elif status in FINAL_STATUSES:
                return

    async def _to_be_saved(self) -> None:
        def is_due() -> bool:
            return self._unsaved and not self.is_soon_more

        while True:
            await until(is_due)
            await until(lambda: True)  # what else woke up goes first, and may have more
            if is_due():
                return

    async def saving_begins(self) -> None:
        """Let the trip be written as it is now, beside the calls that come next."""
        for _ in range(ROUNDS):
            await until(lambda: True)

    @contextlib.contextmanager
    def soon_more(self) -> Iterator[None]:
        """While this is entered nothing is saved: more is about to change, and is saved with the rest."""
        self._soon_more += 1
        try:
            yield
        finally:
            self._soon_more -= 1

    @property
    def is_soon_more(self) -> bool:
        """Whether a local activity is at it."""
        return self._soon_more > 0

    def capture_decision(self) -> CaptureDecision:
        """The trip as it is captured, as of a version of its own."""
        return CaptureDecision(trip=self.trip, version=self._next_version())

    def go_on_from(self, version: int) -> None:
        """The record has this version: what is written from now on is newer."""
        self._version = max(self._version, version)

    def take_over(self, trip: Trip) -> None:
        """Go on from what another run of the trip has reached."""
        self.trip = trip
        self.enter(trip.status if trip.status in FINAL_STATUSES else TripStatus.BOOKING)

    def _next_version(self) -> int:
        self._version += 1
        return self._version

    def _show_status(self, partner: Partner | None = None) -> None:
        """To the record, and what is not as usual to Temporal's search too."""
        status = TripStatus.NEEDS_ATTENTION if self._stuck else self._phase
        shown: list[SearchAttributeUpdate[str]] = []
        if status is not self.trip.status:
            self.trip.status = status
            if status is not TripStatus.CONFIRMED or self._has_been_unusual:
                shown.append(TRIP_STATUS.value_set(status.value))
        if partner is not None:
            shown.append(TRIP_PARTNER.value_set(partner.value))
        if shown and self._is_searchable:
            self._has_been_unusual = True
            workflow.upsert_search_attributes(shown)
        self._touch()

    def _touch(self) -> None:
        self.trip.updated_at = workflow.now()
        self._unsaved = True
