"""The saga of one trip: hold every part, then confirm every part, or compensate for what was sent."""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow

from workflows.calls import (
    AlreadySettled,
    CallFailed,
    bar_sending,
    bar_sending_at_once,
    carry_out,
    check_breaker,
    check_breaker_at_once,
)
from workflows.progress import Progress
from workflows.tasks import cancelled, together

with workflow.unsafe.imports_passed_through():
    from trip.calls import CaptureDecision, PartnerCall
    from trip.order import TripOrder
    from trip.partner import (
        PARTNER_UNAVAILABLE,
        PAYMENT,
        BreakerCheck,
        BreakerFinding,
        CallError,
        Partner,
        PartnerAnswer,
        Patience,
        Sending,
        Verb,
    )
    from trip.plan import STAGES, asked, stages, summary
    from trip.trip import (
        Failure,
        OperatorOrder,
        StepError,
        StepStatus,
        TripStatus,
    )

ORDERLY = timedelta(seconds=3)
SETTLED = (Sending.BARRED, Sending.UNDONE, Sending.CAPTURES)
FIRST_TASK_EVENTS = 3
"""The workflow's start, its first task's scheduling and start; a run that was lost adds to them."""
COMPENSATION_ORDER = [tuple(reversed(stage)) for stage in reversed(STAGES)]


@dataclass(frozen=True)
class Ending:
    """Why a trip is undone, and how it ends when it is."""

    status: TripStatus
    failure: Failure | None = None


class StepFailed(Exception):
    """A step could not be had."""

    def __init__(self, partner: Partner, error: CallError) -> None:
        super().__init__(error.message)
        self.failure = Failure(step=partner, code=error.code, message=error.message)


class Saga:
    """What was sent for one trip, and so what its compensation must cover."""

    def __init__(self, trip_id: str, order: TripOrder, progress: Progress) -> None:
        self._trip_id = trip_id
        self._order = order
        self._progress = progress
        self._to_compensate: list[Partner] = []
        self._knows_what_was_sent = False
        self._remembers_all = True
        self._is_alone = False  # no other run of this workflow task sends, nor may one stand still that will
        self._marked_at: int | None = None
        self._operator_orders: dict[Partner, OperatorOrder] = {}
        self._hold_patience = Patience.WAIT if order.when_partner_down == "wait" else Patience.NONE

    def obey(self, order: OperatorOrder) -> None:
        """Take an operator's order for a stuck step."""
        self._progress.note_intervention(order)
        self._operator_orders[order.step] = order

    async def hold_all(self) -> None:
        """Hold hotel, tour and flight side by side, then points, then the payment of what is left.

        Raises StepFailed and AlreadySettled; what was sent until then is left to `compensate`.
        """
        await self._begin()
        due = 0
        for stage in stages(self._order):
            if PAYMENT in stage:
                self._progress.set_total(due)
            await together(self._hold(partner, due) for partner in stage)
            due += sum(self._amount(partner) for partner in stage)

    async def confirm_all(self) -> Ending | None:
        """Capture the payment, the pivot, then confirm the rest side by side.

        Returns None when all is confirmed, or the ending where a confirmation was refused for good.
        Raises AlreadySettled where the trip is undone.
        """
        held = [step.name for step in self._progress.trip.steps if step.status is StepStatus.HELD]
        pivot = [partner for partner in held if partner is PAYMENT] or held[:1]
        try:
            await together(self._confirm(partner, is_pivot=True) for partner in pivot)
            await together(self._confirm(partner) for partner in held if partner not in pivot)
        except StepFailed as failed:
            return Ending(TripStatus.FAILED, failed.failure)
        self._progress.enter(TripStatus.CONFIRMED)
        return None

    async def is_captured(self) -> bool:
        """Whether another run of this workflow task has decided the capture; else none ever will."""
        if self._is_alone:
            return False
        barring = None if self._knows_what_was_sent else await bar_sending_at_once(self._trip_id)
        if barring is None:
            barring = await bar_sending(self._trip_id)
        self._take_mark(barring.sending)
        if barring.trip is None:
            return False
        self._progress.adopt(barring.trip)
        return True

    async def compensate(self, ending: Ending) -> None:
        """Release all that was sent, last first; one that is stuck holds up none of the others."""
        self._progress.enter(TripStatus.COMPENSATING, ending.failure)
        if self._to_compensate:
            # A hold that is repeated after its release is refused, which must not become another reason.
            await self._progress.save_durably()
        releases: list[asyncio.Task[None]] = []
        for group in COMPENSATION_ORDER:
            started = {
                partner: asyncio.create_task(self._release(partner))
                for partner in group
                if partner in self._to_compensate
            }
            releases += started.values()
            await self._done_or_late(started)
        for release in releases:
            await release
        self._progress.enter(ending.status)

    async def _done_or_late(self, releases: dict[Partner, asyncio.Task[None]]) -> None:
        """The order of the releases is kept for as long as it does not hold them up."""
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: all(
                    release.done() or self._progress.is_stuck(partner)
                    for partner, release in releases.items()
                ),
                timeout=ORDERLY,
            )

    async def _begin(self) -> None:
        """Nothing is sent while a partner of the trip is known to be out, nor before a mark is left of it."""
        partners = self._order.partners()
        wait = self._order.when_partner_down == "wait"
        check = BreakerCheck(trip_id=self._trip_id, partners=partners, wait=wait)
        summary = ", ".join(partners)
        while (finding := await self._check_at_once(check, summary)) and finding.open_at and wait:
            await check_breaker(check, summary)
        if finding is None:
            self._take_history_for_mark()
            finding = await check_breaker(check, summary)
        else:
            self._take_mark(finding.sending)
            self._marked_at = workflow.info().get_current_history_length()
        if finding.open_at is not None and finding.sending is not Sending.CAPTURES:
            raise self._kept_out(finding.open_at)
        if finding.sending in SETTLED:
            raise AlreadySettled

    async def _check_at_once(self, check: BreakerCheck, summary: str) -> BreakerFinding | None:
        with self._progress.soon_more():
            return await check_breaker_at_once(check, summary)

    def _take_mark(self, sending: Sending | None) -> None:
        self._knows_what_was_sent = True
        if sending is Sending.BEGINS:
            self._is_alone = self._is_first_run()
        elif sending is Sending.BARRED:
            self._is_alone = True
        else:
            self._cover_all()

    def _take_history_for_mark(self) -> None:
        self._knows_what_was_sent = True
        self._is_alone = self._is_first_run()
        if not self._is_alone:
            self._cover_all()

    def _is_first_run(self) -> bool:
        # Asked after an activity's answer: a replay takes workflow tasks in which nothing happened for one.
        return workflow.info().get_current_history_length() == FIRST_TASK_EVENTS

    def _is_in_marked_task(self) -> bool:
        """Whether a run that does not remember what is sent now would find a mark of it.

        In a later workflow task it would find the mark in its history, as one of its own.
        """
        return workflow.info().get_current_history_length() == self._marked_at

    def _cover_all(self) -> None:
        """Something may have been sent that this run does not remember; a release of nothing is safe."""
        self._remembers_all = False
        self._to_compensate = self._order.partners()

    def _kept_out(self, partner: Partner) -> StepFailed:
        message = f"{partner}: its breaker is open"
        error = CallError(code=PARTNER_UNAVAILABLE, message=message, attempts=0, final=False)
        self._note_refusal(partner, error)
        return StepFailed(partner, error)

    async def _hold(self, partner: Partner, due: int) -> None:
        if (body := asked(self._order, partner, due)) is None:
            self._progress.update_step(partner, status=StepStatus.CONFIRMED, amount_minor=0)
            return
        if partner not in self._to_compensate:
            self._to_compensate.append(partner)  # before it is sent: its outcome may stay unknown
        self._progress.update_step(partner, status=StepStatus.UNKNOWN, attempts=1)
        try:
            call = PartnerCall(key=self._trip_id, body=body, patience=self._hold_patience)
            answer = await self._call(Verb.RESERVE, partner, call, durably=not self._is_in_marked_task())
        except CallFailed as failed:
            self._note_refusal(partner, failed.error)
            raise StepFailed(partner, failed.error) from failed
        self._progress.update_step(
            partner,
            status=StepStatus.HELD,
            reference=answer.reservation.reference,
            amount_minor=answer.reservation.amount_minor,
            attempts=answer.attempts,
            held_at=workflow.now(),
        )

    def _note_refusal(self, partner: Partner, error: CallError) -> None:
        # An earlier attempt may still be on its way, and take effect after a later one was refused.
        nothing_sent = error.attempts == 0
        nothing_to_undo = nothing_sent or (error.final and error.attempts == 1)
        if nothing_to_undo and self._remembers_all and partner in self._to_compensate:
            self._to_compensate.remove(partner)
        status = StepStatus.FAILED if error.final or nothing_sent else StepStatus.UNKNOWN
        self._progress.update_step(partner, status=status, attempts=error.attempts, error=_shown(error))

    def _amount(self, partner: Partner) -> int:
        return self._progress.step(partner).amount_minor or 0

    async def _confirm(self, partner: Partner, *, is_pivot: bool = False) -> None:
        decision = self._progress.decide_capture() if is_pivot and self._is_in_marked_task() else None
        # Where no mark decides it for other runs, the history does that schedules it.
        durably = is_pivot and decision is None
        try:
            await self._see_through(Verb.CONFIRM, partner, durably=durably, decision=decision)
        except CallFailed as failed:
            self._progress.update_step(partner, status=StepStatus.FAILED, error=_shown(failed.error))
            raise StepFailed(partner, failed.error) from failed
        self._progress.update_step(partner, status=StepStatus.CONFIRMED)

    async def _release(self, partner: Partner) -> None:
        await self._see_through(Verb.RELEASE, partner)
        self._progress.update_step(partner, status=StepStatus.RELEASED)

    async def _see_through(
        self,
        verb: Verb,
        partner: Partner,
        *,
        durably: bool = False,
        decision: CaptureDecision | None = None,
    ) -> None:
        """Call until it is through or settled by hand; only a refusal for good raises CallFailed."""
        patience, past_breaker = Patience.LIMITED, False
        try:
            while True:
                given = PartnerCall(
                    key=self._trip_id, patience=patience, past_breaker=past_breaker, decision=decision
                )
                call = asyncio.create_task(self._call(verb, partner, given, durably=durably))
                order = await self._done_or_ordered(partner, call)
                if call.cancelled():
                    if order is not None and order.action == "resolve":
                        return
                    past_breaker = True
                    continue
                if self._is_through(verb, partner, call):
                    return
                patience, past_breaker = Patience.ENDLESS, False
        finally:
            self._progress.freed(partner)

    def _is_through(self, verb: Verb, partner: Partner, call: asyncio.Task[PartnerAnswer]) -> bool:
        """Whether the call succeeded; False where the step is stuck. Raises what is final."""
        error = call.exception()
        if error is None:
            self._progress.note_call(verb, partner, call.result().attempts)
            return True
        if not isinstance(error, CallFailed):
            raise error
        self._progress.note_call(verb, partner, error.error.attempts, _shown(error.error))
        if error.error.final:
            raise error
        self._progress.stuck(partner, _shown(error.error))
        return False

    async def _done_or_ordered(
        self, partner: Partner, call: asyncio.Task[PartnerAnswer]
    ) -> OperatorOrder | None:
        try:
            await workflow.wait_condition(lambda: call.done() or partner in self._operator_orders)
        finally:
            await cancelled(call)
        return self._operator_orders.pop(partner, None)

    async def _call(
        self,
        verb: Verb,
        partner: Partner,
        call: PartnerCall,
        *,
        durably: bool,
    ) -> PartnerAnswer:
        locally = None if durably else self._progress.soon_more()
        return await carry_out(verb, partner, call, summary(self._order, partner), locally)


def _shown(error: CallError) -> StepError:
    return StepError(code=error.code, message=error.message)
