"""The saga of one trip: hold every part, then confirm every part, or compensate for what was sent."""

import asyncio
import contextlib
from collections.abc import Collection
from datetime import timedelta

from temporalio import workflow

from workflows.calls import CallFailed, carry_out
from workflows.fence import Fence
from workflows.progress import Progress
from workflows.seen_through import CallsSeenThrough
from workflows.tasks import together, until

with workflow.unsafe.imports_passed_through():
    from trip.calls import CaptureDecision, PartnerCall, Terms
    from trip.fence import Ending
    from trip.order import TripOrder
    from trip.partner import (
        EXPIRED,
        PARTNER_UNAVAILABLE,
        PAYMENT,
        CallError,
        Partner,
        PartnerAnswer,
        Patience,
        Verb,
    )
    from trip.plan import STAGES, agreed, asked, stages, summary
    from trip.trip import Failure, OperatorOrder, StepStatus, TripStatus, step_error

ANSWERED_AFTER = timedelta(milliseconds=1)
ORDERLY = timedelta(seconds=3)
TO_CONFIRM = timedelta(seconds=2)
"""What every hold must have left when the capture is decided: one quick attempt for the capture, and one for
the confirmations."""
HOLDS_LAST = "holds-last-until-confirmed"
RELEASES_TOGETHER = "releases-together"
NOT_HELD = "not_held"
_UNTOUCHED = frozenset({StepStatus.PENDING, StepStatus.FAILED})
"""Steps of which an undo has nothing to tell: they keep their status."""


class StepFailed(Exception):
    """A step could not be had."""

    def __init__(self, step: Partner, code: str, message: str) -> None:
        super().__init__(message)
        self.failure = Failure(step=step, code=code, message=message)


class Saga:
    """The calls of one trip in their order. `fence` gives leave to send, to capture and to undo."""

    def __init__(self, trip_id: str, order: TripOrder, progress: Progress, fence: Fence) -> None:
        self._trip_id = trip_id
        self._order = order
        self._progress = progress
        self._fence = fence
        self._calls = CallsSeenThrough(progress, self._call)
        self._hold_patience = Patience.WAIT if order.when_partner_down == "wait" else Patience.NONE

    def obey(self, order: OperatorOrder) -> None:
        """Take an operator's order for a stuck step."""
        self._calls.obey(order)

    async def hold_all(self) -> None:
        """Hold stage after stage, each stage side by side.

        Raises StepFailed, and AlreadySettled if another run captures or undoes the trip. A hold that would
        expire before it can be confirmed has failed, too.
        """
        if (partner := await self._fence.begin()) is not None:
            error = CallError(
                code=PARTNER_UNAVAILABLE, message="the partner's breaker is open", attempts=0, final=False
            )
            raise self._refused(partner, error)
        due = 0
        for stage in stages(self._order):
            if PAYMENT in stage:
                self._progress.set_total(due)
            await together(self._hold(partner, due) for partner in stage)
            due += sum(self._progress.step(partner).amount_minor or 0 for partner in stage)
        self._check_all_are_held()

    async def confirm_all(self) -> None:
        """Capture the payment, which is the pivot, then confirm the other steps side by side.

        If nothing is left to pay, the first step is the pivot. Raises StepFailed if a confirmation is refused
        for good, and AlreadySettled if another run undoes the trip.
        """
        open_steps = [s.name for s in self._progress.trip.steps if s.status is not StepStatus.CONFIRMED]
        pivot = PAYMENT if PAYMENT in open_steps else next(iter(open_steps), None)
        if pivot is not None:
            await self._confirm(pivot, self._fence.capture())
        await together(self._confirm(partner) for partner in open_steps if partner is not pivot)
        self._progress.enter(TripStatus.CONFIRMED)

    async def compensate(
        self, ending: Ending, covered: Collection[Partner], *, is_asked_for: bool = False
    ) -> None:
        """Release the covered partners, side by side. A release that is stuck holds up no other.

        With `is_asked_for` somebody waits for the answer to a cancel.
        """
        self._progress.enter(TripStatus.COMPENSATING, ending.failure)
        if is_asked_for:
            # The answer leaves with the end of a workflow task, which a timer brings on.
            await workflow.sleep(ANSWERED_AFTER, summary="the cancel is answered")
        if workflow.patched(RELEASES_TOGETHER):
            await self._progress.saving_begins()
            await together(self._release(partner) for partner in covered)
        else:
            await self._release_in_turn(covered)
        self._progress.enter(ending.status)

    async def _release_in_turn(self, covered: Collection[Partner]) -> None:
        """Last stage first, as trips do that were under way before releases were made side by side."""
        releases: list[asyncio.Task[None]] = []
        for stage in reversed(STAGES):
            started = {
                partner: asyncio.create_task(self._release(partner))
                for partner in reversed(stage)
                if partner in covered
            }
            releases += started.values()
            await self._done_or_late(started)
        for release in releases:
            await release

    async def _done_or_late(self, releases: dict[Partner, asyncio.Task[None]]) -> None:
        """Keep the order of the releases for as long as it does not hold them up."""
        with contextlib.suppress(TimeoutError):
            await until(
                lambda: all(
                    release.done() or self._progress.is_stuck(partner)
                    for partner, release in releases.items()
                ),
                ORDERLY,
            )

    async def _hold(self, partner: Partner, due: int) -> None:
        if (body := asked(self._order, partner, due)) is None:
            self._progress.update_step(partner, status=StepStatus.CONFIRMED, amount_minor=0)
            return
        self._progress.update_step(partner, status=StepStatus.UNKNOWN, attempts=1)
        try:
            terms = agreed(self._order, partner, due, workflow.now())
            call = PartnerCall(key=self._trip_id, body=body, terms=terms, patience=self._hold_patience)
            answer = await self._call(Verb.RESERVE, partner, call)
        except CallFailed as failed:
            raise self._refused(partner, failed.error) from failed
        self._progress.update_step(
            partner,
            status=StepStatus.HELD,
            reference=answer.reservation.reference,
            amount_minor=answer.reservation.amount_minor,
            attempts=answer.attempts,
            held_at=workflow.now(),
            expires_at=answer.reservation.expires_at,
        )

    def _check_all_are_held(self) -> None:
        """Raises StepFailed if a step is not held, or not for long enough to be confirmed."""
        too_soon = workflow.now() + TO_CONFIRM
        for step in self._progress.trip.steps:
            if step.status not in (StepStatus.HELD, StepStatus.CONFIRMED):
                raise StepFailed(step.name, NOT_HELD, "no stage of the plan holds this step")
            if step.expires_at is not None and step.expires_at < too_soon:
                workflow.deprecate_patch(HOLDS_LAST)
                raise StepFailed(step.name, EXPIRED, "the hold would expire before it can be confirmed")

    def _refused(self, partner: Partner, error: CallError) -> StepFailed:
        status = StepStatus.FAILED if error.final or error.attempts == 0 else StepStatus.UNKNOWN
        self._progress.update_step(partner, status=status, attempts=error.attempts, error=step_error(error))
        return StepFailed(partner, error.code, error.message)

    async def _confirm(self, partner: Partner, decision: CaptureDecision | None = None) -> None:
        call = PartnerCall(key=self._trip_id, terms=self._as_held(partner), decision=decision)
        try:
            answer = await self._calls.see_through(Verb.CONFIRM, partner, call)
        except CallFailed as failed:
            self._progress.update_step(partner, status=StepStatus.FAILED, error=step_error(failed.error))
            raise StepFailed(partner, failed.error.code, failed.error.message) from failed
        reference = answer.reservation.reference if answer else self._progress.step(partner).reference
        self._progress.update_step(partner, status=StepStatus.CONFIRMED, reference=reference)

    def _as_held(self, partner: Partner) -> Terms | None:
        """What a confirmation has to keep to."""
        step = self._progress.step(partner)
        if step.amount_minor is None:
            return None
        return Terms(
            currency=self._order.payment.currency,
            least_minor=step.amount_minor,
            most_minor=step.amount_minor,
            now=workflow.now(),
            expires_at=step.expires_at,
        )

    async def _release(self, partner: Partner) -> None:
        await self._calls.see_through(Verb.RELEASE, partner, PartnerCall(key=self._trip_id))
        if self._progress.step(partner).status not in _UNTOUCHED:
            self._progress.update_step(partner, status=StepStatus.RELEASED)

    async def _call(self, verb: Verb, partner: Partner, call: PartnerCall) -> PartnerAnswer:
        return await carry_out(verb, partner, call, summary(self._order, partner), self._fence.locally())
