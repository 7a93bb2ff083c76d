"""The attempts of a choreographed trip that did not succeed, as they are kept. Pure."""

from datetime import datetime

from choreography.messages import Refused, Tried
from guard.guard import Reason
from record.attempts import Entry
from trip.attempts import AttemptOutcome, FailedAttempt
from trip.partner import Partner, Verb


def tried(message: Tried) -> Entry:
    """The attempt that the message tells of. Attempts at a message that was told again are other ones."""
    attempt = message.data.attempt
    return Entry(message.subject, f"{attempt.verb}/{message.data.again}", attempt)


def refused(message: Refused) -> Entry:
    """The attempt that was refused for good. The partner does not tell how long it took."""
    attempt = FailedAttempt(
        step=Partner(message.source),
        verb=Verb.RESERVE,
        attempt=message.data.attempt,
        at=message.time,
        took_ms=0,
        outcome=AttemptOutcome.REFUSED,
        error=message.data.message,
        next_at=None,
    )
    return Entry(message.subject, f"{attempt.verb}/{message.data.again}", attempt)


def kept_out(trip_id: str, partner: Partner, now: datetime, next_at: datetime | None) -> Entry:
    """The attempt that was not made, since the partner's breaker is open. Each look is the same one."""
    attempt = FailedAttempt(
        step=partner,
        verb=Verb.RESERVE,
        attempt=1,
        at=now,
        took_ms=0,
        outcome=AttemptOutcome.KEPT_OUT,
        error=Reason.BREAKER_OPEN.value,
        next_at=next_at,
    )
    return Entry(trip_id, f"{attempt.verb}/0", attempt)
