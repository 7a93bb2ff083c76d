"""A partner that listens: what it does with each message, and what it tells."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from choreography.acting import Act, Asked, Unanswered, understood
from choreography.delivery import Delivery, TryLater
from choreography.listener import Handle
from choreography.messages import Tried, TriedData, message_id
from choreography.outcomes import retry_delay
from choreography.protocol import Wish
from choreography.telling import Teller
from guard.backoff import BackoffPolicy
from serving.logs import about
from trip.attempts import AttemptOutcome, FailedAttempt
from trip.partner import PARTNER_UNAVAILABLE, Partner, Verb
from trip.plan import STAGES

VERBS = {Wish.HOLD: Verb.RESERVE, Wish.CONFIRM: Verb.CONFIRM, Wish.RELEASE: Verb.RELEASE}

log = logging.getLogger(__name__)


def durables(me: Partner) -> dict[str, Sequence[str]]:
    """The names under which the partner listens, and to which subjects.

    What undoes has a name of its own, so that a hold that hangs does not stand before it.
    """
    place = {partner: number for number, stage in enumerate(STAGES) for partner in stage}
    mine, last = place[me], len(STAGES) - 1
    others = [partner for partner in place if partner is not me]
    return {
        f"{me}-do": [
            f"trips.held.*.{me}" if mine else "trips.requested",
            "trips.bought" if mine == last else "trips.captured.>",
        ],
        f"{me}-undo": [
            "trips.withdrawn",
            *(f"trips.refused.{partner}" for partner in others if place[partner] >= mine),
        ],
    }


@dataclass(frozen=True)
class Hearing:
    """What deals with a partner's messages. `away` says that the engine of the partner's store is away."""

    me: Partner
    act: Act
    teller: Teller
    backoff: BackoffPolicy
    away: tuple[type[Exception], ...]

    def handler(self, durable: str) -> Handle:
        """What deals with the messages of one durable name."""
        failures: tuple[type[Exception], ...] = (Unanswered, *self.away)

        async def handle(delivery: Delivery) -> None:
            asked = understood(self.me, delivery)
            if asked is None:
                return
            began = datetime.now(UTC)
            try:
                answer = await self.act(asked)
            except failures as error:
                after_s = error.after_s if isinstance(error, Unanswered) else None
                tried = _tried(self.me, asked, began, error, self._next_at(durable, delivery, after_s))
                await self.teller.tell(tried)
                raise TryLater(after_s, tried.data.attempt.error) from error
            if answer.says is not None:
                await self.teller.tell(answer.says)

        return handle

    def _next_at(self, durable: str, delivery: Delivery, after_s: float | None) -> datetime | None:
        """When the message will come again. None if it becomes a dead letter."""
        if delivery.attempt >= self.backoff.attempts:
            return None
        return datetime.now(UTC) + timedelta(seconds=retry_delay(self.backoff, durable, delivery, after_s))


def _tried(me: Partner, asked: Asked, began: datetime, error: Exception, next_at: datetime | None) -> Tried:
    """What the partner tells of an attempt that did not succeed."""
    now, again = datetime.now(UTC), asked.message.data.again
    kind = type(error).__name__
    attempt = FailedAttempt(
        step=me,
        verb=VERBS[asked.wish],
        attempt=asked.attempt,
        at=began,
        took_ms=round((now - began) / timedelta(milliseconds=1)),
        outcome=AttemptOutcome.UNANSWERED,
        error=str(error) if isinstance(error, Unanswered) else f"the partner's engine is away: {kind}",
        next_at=next_at,
    )
    log.warning(
        "%s of %s, attempt %d: %s",
        asked.wish,
        asked.key,
        asked.attempt,
        attempt.error,
        extra=about(asked.key),
    )
    return Tried(
        id=message_id(me.value, asked.key, f"{attempt.verb}-{attempt.attempt}", again),
        source=me.value,
        subject=asked.key,
        time=now,
        data=TriedData(
            slip=asked.message.data.slip.bare(),
            again=again,
            attempt=attempt,
            code=error.code if isinstance(error, Unanswered) else PARTNER_UNAVAILABLE,
        ),
    )
