"""What a listener tells the broker of a message that was handled, or was not."""

import json
import logging

from choreography.broker import Broker, BrokerAway
from choreography.dead import bury
from choreography.delivery import Delivery, TryLater, Unreadable
from guard.backoff import BackoffPolicy, keyed_delay
from serving.fields import shown

ACK = b"+ACK"
NAK = b"-NAK"
TERM = b"+TERM"

log = logging.getLogger(__name__)


def retry_delay(
    backoff: BackoffPolicy, durable: str, delivery: Delivery, after_s: float | None = None
) -> float:
    """Seconds until a message that failed comes again, at least `after_s`. Asked again, it is the same."""
    key = f"{durable}/{delivery.message_id}"
    return keyed_delay(backoff, delivery.attempt - 1, key, retry_after_s=after_s)


class Outcomes:
    """The words for the messages of one durable consumer."""

    def __init__(self, broker: Broker, durable: str, backoff: BackoffPolicy) -> None:
        self._broker = broker
        self._durable = durable
        self._backoff = backoff

    def is_overdue(self, delivery: Delivery) -> bool:
        """Whether the message had all its attempts before this delivery."""
        return delivery.attempt > self._backoff.attempts

    def later(self, delivery: Delivery, after_s: float | None = None) -> bytes:
        """The message comes again after its backoff, and not before `after_s` seconds."""
        delay_s = retry_delay(self._backoff, self._durable, delivery, after_s)
        return NAK + b" " + json.dumps({"delay": int(delay_s * 1e9)}).encode()

    async def failed(self, delivery: Delivery, error: Exception) -> bytes:
        """The message comes again, or becomes a dead letter, as the error and its attempts say."""
        if isinstance(error, Unreadable) or delivery.attempt >= self._backoff.attempts:
            return await self.give_up(delivery, f"{type(error).__name__}: {error}")
        return self.later(delivery, error.after_s if isinstance(error, TryLater) else None)

    async def give_up(self, delivery: Delivery, error: str) -> bytes:
        """The message becomes a dead letter. Until the broker takes that, the message comes again."""
        try:
            await bury(self._broker, self._durable, delivery, error)
        except BrokerAway:
            return self.later(delivery)
        log.warning("%s gave up %s: %s", self._durable, shown(delivery.message_id), shown(error))
        return TERM
