"""One attempt of a call, of which the guard is told."""

from collections.abc import Awaitable

from calling.http import Answer, Unanswered
from guard.guard import Leave
from guard.policy import Outcome
from serving.running import RunningTime


async def attempt(leave: Leave, request: Awaitable[Answer], *, is_patient: bool = True) -> Answer:
    """Make the request that the guard gave leave for, and tell the guard what came of it.

    An attempt that is not patient has a time limit too short to hold a time-out against the partner.
    """
    answer: Answer | None = None
    with RunningTime() as running:
        try:
            answer = await request
            return answer
        finally:
            error = answer.message if isinstance(answer, Unanswered) else None
            await leave.record(_judged(answer, is_patient), running.seconds, error)


def _judged(answer: Answer | None, is_patient: bool) -> Outcome:
    """What the guard is told. `None`: the call was cancelled. A refusal shows that the partner is there."""
    if not isinstance(answer, Unanswered):
        return Outcome.IGNORED if answer is None else Outcome.SUCCESS
    return Outcome.IGNORED if answer.timed_out and not is_patient else Outcome.FAILURE
