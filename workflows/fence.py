"""Which run of a trip may capture it, and which may undo it: the trip's row decides, for all runs alike.

A workflow task that is lost runs again, and a workflow that is reset starts again. Neither remembers what an
earlier run sent. So a run asks the row before it sends holds, before it captures, and before it undoes.
"""

from contextlib import AbstractContextManager
from datetime import timedelta
from typing import NamedTuple

from temporalio import workflow

from workflows.calls import AlreadySettled, bar_sending, check_breaker, check_breaker_at_once
from workflows.progress import Progress, perhaps_sent

with workflow.unsafe.imports_passed_through():
    from trip.calls import BreakerCheck, BreakerFinding, CaptureDecision
    from trip.fence import Barring, Ending, Mark, Standing
    from trip.partner import Partner
    from trip.trip import Booking, TripStatus

BETWEEN_VIEWS = timedelta(seconds=30)
OVERTAKEN = Ending(status=TripStatus.CANCELLED)
"""Until the row says how the other run ends the trip."""


class TooLate(Exception):
    """The deadline is over, and this run has sent nothing."""


class Undo(NamedTuple):
    """How a trip ends that is undone, and the partners to release."""

    ending: Ending
    covered: list[Partner]


class Fence:
    """Asks the row. If the record is away at the first question, the history stands for it from then on."""

    def __init__(self, booking: Booking, progress: Progress) -> None:
        self._trip_id = booking.trip_id
        self._order = booking.order
        self._is_takeover = booking.takeover is not None
        self._progress = progress
        self.deadline = booking.accepted_at + timedelta(seconds=booking.order.deadline_s)
        """By Temporal's clock. Until the record has said what is left, its own clock is taken to agree."""
        self._record_was_away = False

    async def begin(self) -> Partner | None:
        """Take leave to send holds. Returns a partner if the trip may not wait for its open breaker.

        Raises AlreadySettled if another run captures or undoes the trip, and TooLate after the deadline.
        """
        wait = self._order.when_partner_down == "wait"
        partners = self._order.partners()
        check = BreakerCheck(trip_id=self._trip_id, partners=partners, wait=wait)
        summary = ", ".join(partners)
        finding = await self._check_at_once(check, summary)
        while finding is not None and finding.open_at and wait:
            await check_breaker(check, summary)
            finding = await self._check_at_once(check, summary)
            if finding is not None and finding.open_at:  # two workers do not see the same
                await workflow.sleep(BETWEEN_VIEWS)
        if finding is None:
            self._record_was_away = True
            finding = await check_breaker(check, summary)
        standing = finding.standing
        if standing is not None:
            self._take_note(standing)
            if standing.mark is not Mark.BEGUN:
                raise AlreadySettled
        if workflow.now() >= self.deadline:
            raise TooLate
        return finding.open_at

    def locally(self) -> AbstractContextManager[None] | None:
        """What a call that sends something is given as `locally`."""
        return None if self._record_was_away else self._progress.soon_more()

    def capture(self) -> CaptureDecision:
        """What the call that captures writes to the row before it sends."""
        return self._progress.capture_decision()

    async def undo(self, ending: Ending, *, after_capture: bool = False) -> Undo | None:
        """Take leave to undo the trip.

        None means that the capture is decided: the trip, as the row has it, is to be seen through.
        """
        barring = Barring(
            trip_id=self._trip_id,
            ending=ending,
            sent=self._record_was_away or self._is_takeover or _is_reset(),
            after_capture=after_capture,
        )
        with self._progress.soon_more():
            standing = await bar_sending(barring)
        self._take_note(standing)
        if standing.mark is Mark.CAPTURES:
            return None
        # A release of what was never sent is safe, and no run knows what a lost one has sent.
        covered = [] if standing.mark is Mark.BARRED else self._order.partners()
        return Undo(standing.ending or ending, covered)

    def _take_note(self, standing: Standing) -> None:
        self._progress.go_on_from(standing.version)
        if standing.trip is None:
            return
        trip = perhaps_sent(standing.trip) if standing.mark is Mark.UNDONE else standing.trip
        self._progress.take_over(trip)

    async def _check_at_once(self, check: BreakerCheck, summary: str) -> BreakerFinding | None:
        with self._progress.soon_more():
            finding = await check_breaker_at_once(check, summary)
        if finding is not None and finding.left_s is not None:
            self.deadline = workflow.now() + timedelta(seconds=finding.left_s)
        return finding


def _is_reset() -> bool:
    """Whether the run before this one, of the same workflow, may have sent what no row knows of."""
    info = workflow.info()
    return info.run_id != info.original_execution_run_id
