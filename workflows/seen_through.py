"""Calls that are made until they are through: confirmations and releases, with an operator's help."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from temporalio import workflow

from workflows.calls import CallFailed
from workflows.progress import Progress
from workflows.tasks import cancelled, until

with workflow.unsafe.imports_passed_through():
    from trip.calls import PartnerCall
    from trip.partner import Partner, PartnerAnswer, Patience, Verb
    from trip.trip import Intervention, OperatorOrder, step_error

Send = Callable[[Verb, Partner, PartnerCall], Coroutine[Any, Any, PartnerAnswer]]


class CallsSeenThrough:
    """A call that uses up its attempts is stuck: it is made again without end, or as an operator orders."""

    def __init__(self, progress: Progress, send: Send) -> None:
        self._progress = progress
        self._send = send
        self._orders: dict[Partner, OperatorOrder] = {}

    def obey(self, order: OperatorOrder) -> None:
        """Take an operator's order for a stuck step."""
        self._progress.note_intervention(Intervention(**order.model_dump(), at=workflow.now()))
        self._orders[order.step] = order

    async def see_through(self, verb: Verb, partner: Partner, given: PartnerCall) -> PartnerAnswer | None:
        """Call until it is through. None: an operator settled it by hand.

        Only a refusal for good raises CallFailed.
        """
        patience, past_breaker = Patience.LIMITED, False
        try:
            while True:
                given = given.model_copy(update={"patience": patience, "past_breaker": past_breaker})
                call = asyncio.create_task(self._send(verb, partner, given))
                order = await self._done_or_ordered(partner, call)
                if order is not None and call.cancelled():
                    if order.action == "resolve":
                        return None
                    past_breaker = True
                    continue
                if self._is_through(verb, partner, call):
                    return call.result()
                patience, past_breaker = Patience.ENDLESS, False
        finally:
            self._progress.freed(partner)
            # An order that comes too late is none for the next call.
            self._orders.pop(partner, None)

    def _is_through(self, verb: Verb, partner: Partner, call: asyncio.Task[PartnerAnswer]) -> bool:
        """Whether the call succeeded. False means that the step is stuck. Raises a final refusal."""
        error = call.exception()
        if error is None:
            self._progress.note_call(verb, partner, call.result().attempts)
            return True
        if not isinstance(error, CallFailed):
            raise error
        self._progress.note_call(verb, partner, error.error.attempts, step_error(error.error))
        if error.error.final:
            raise error
        self._progress.stuck(partner, step_error(error.error))
        return False

    async def _done_or_ordered(
        self, partner: Partner, call: asyncio.Task[PartnerAnswer]
    ) -> OperatorOrder | None:
        try:
            await until(lambda: call.done() or partner in self._orders)
        finally:
            await cancelled(call)
        return self._orders.pop(partner, None)
