"""BookTrip: one trip's way from an accepted order to confirmed, failed or cancelled."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from workflows.calls import AlreadySettled
from workflows.fence import OVERTAKEN, Fence, TooLate
from workflows.figures import count_end
from workflows.progress import Progress
from workflows.saga import Saga, StepFailed
from workflows.tasks import cancelled, to_the_end, until

with workflow.unsafe.imports_passed_through():
    from trip.fence import Ending, deadline_exceeded, failed
    from trip.partner import WORKFLOW_LOST
    from trip.trip import (
        Booking,
        Failure,
        Intervention,
        OperatorOrder,
        StepStatus,
        Takeover,
        Trip,
        TripStatus,
    )

ALREADY_FINAL = "already_final"
NOT_STUCK = "not_stuck"

CANCELLED = Ending(status=TripStatus.CANCELLED)


@workflow.defn
class BookTrip:
    """Books one trip wholly or not at all. Its id is the trip's, and every partner's idempotency key."""

    @workflow.init
    def __init__(self, booking: Booking) -> None:
        self._progress = Progress(booking)
        self._fence = Fence(booking, self._progress)
        self._saga = Saga(booking.trip_id, booking.order, self._progress, self._fence)
        self._cancel_asked = False
        self._capture_decided = False
        self._is_settled = False
        self._undo_took: timedelta | None = None

    @workflow.run
    async def run(self, booking: Booking) -> Trip:
        saving = asyncio.create_task(self._progress.keep_saved())
        ending = await self._hold() if booking.takeover is None else _lost(booking.takeover)
        await to_the_end(self._end(ending, booking.takeover))
        await to_the_end(_finished(saving))
        count_end(self._progress.trip, self._undo_took)
        return self._progress.trip

    @workflow.query
    def trip(self) -> Trip:
        """The trip as the front door shows it."""
        return self._progress.trip

    @workflow.update
    async def cancel(self) -> None:
        """Undo the trip; refused with `already_final` once capture is decided."""
        self._cancel_asked = True
        await until(lambda: self._is_settled)
        self._may_cancel()

    @cancel.validator
    def _may_cancel(self) -> None:
        if self._capture_decided:
            raise ApplicationError("the payment is being captured; the trip stands", type=ALREADY_FINAL)

    @workflow.update
    async def operate(self, order: OperatorOrder) -> None:
        """Take an operator's order for a step; refused with `not_stuck` if the step is not stuck."""
        self._saga.obey(order)

    @operate.validator
    def _may_operate(self, order: OperatorOrder) -> None:
        if not self._progress.is_stuck(order.step):
            raise ApplicationError(f"the {order.step} step does not need attention", type=NOT_STUCK)

    async def _hold(self) -> Ending | None:
        """Hold all parts before the deadline. None when capture is decided, or why it never will be."""
        holding = asyncio.create_task(self._saga.hold_all())
        ending = await self._stopped_before(holding)
        await to_the_end(cancelled(holding))
        # Fetched whatever the ending is, so that the error is not reported as lost.
        error = asyncio.CancelledError() if holding.cancelled() else holding.exception()
        if ending is None and error is not None:
            ending = self._ending_of(error)
        if ending is None and workflow.now() >= self._fence.deadline:
            ending = self._too_late()
        self._capture_decided = ending is None
        return ending

    async def _end(self, ending: Ending | None, takeover: Takeover | None) -> None:
        """Undo the trip, or see it through if its capture is decided."""
        undo = None if ending is None else await self._fence.undo(ending)
        if takeover is not None:
            self._progress.note_intervention(_taken_over(takeover))
        while undo is None:
            self._capture_decided = self._is_settled = True
            if (ending := await self._confirm()) is None:
                return
            undo = await self._fence.undo(ending, after_capture=ending is not OVERTAKEN)
        self._is_settled = True
        decided_at = workflow.now()
        await self._saga.compensate(*undo, is_asked_for=self._cancel_asked)
        self._undo_took = workflow.now() - decided_at

    async def _confirm(self) -> Ending | None:
        """None if every step is confirmed, or why the trip is to be undone all the same."""
        try:
            await self._saga.confirm_all()
        except StepFailed as failed:
            return Ending(status=TripStatus.FAILED, failure=failed.failure)
        except AlreadySettled:
            return OVERTAKEN
        return None

    async def _stopped_before(self, holding: asyncio.Task[None]) -> Ending | None:
        def is_stopped() -> bool:
            return holding.done() or self._cancel_asked

        try:
            # A timer starts to run when the workflow task ends, and local activities go on until then.
            await workflow.wait_condition(lambda: is_stopped() or not self._progress.is_soon_more)
            if not is_stopped():
                left = self._fence.deadline - workflow.now()
                await workflow.wait_condition(is_stopped, timeout=max(left, timedelta(milliseconds=1)))
        except TimeoutError:
            return self._too_late()
        except asyncio.CancelledError:
            return CANCELLED  # Temporal's own cancel, from its UI or command line
        return CANCELLED if self._cancel_asked else None

    def _ending_of(self, error: BaseException) -> Ending:
        if isinstance(error, StepFailed):
            return Ending(status=TripStatus.FAILED, failure=error.failure)
        if isinstance(error, AlreadySettled):
            return OVERTAKEN
        if isinstance(error, TooLate):
            return self._too_late()
        if isinstance(error, asyncio.CancelledError):
            return CANCELLED
        raise error

    def _too_late(self) -> Ending:
        steps = self._progress.trip.steps
        open_steps = (s for s in steps if s.status in (StepStatus.UNKNOWN, StepStatus.PENDING))
        return failed(deadline_exceeded(next(open_steps, steps[-1]).name))


def _lost(takeover: Takeover) -> Ending:
    """How a trip ends that is taken over before its capture is decided."""
    message = f"{_told(takeover)} before the capture was decided"
    return failed(Failure(step=None, code=WORKFLOW_LOST, message=message))


def _taken_over(takeover: Takeover) -> Intervention:
    return Intervention(
        step=None, action="take_over", who=takeover.who, note=_told(takeover), at=workflow.now()
    )


def _told(takeover: Takeover) -> str:
    return f"the trip's workflow was {takeover.found}"


async def _finished(task: asyncio.Task[None]) -> None:
    await task
