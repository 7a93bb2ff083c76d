"""How a partner tells: each message once it is true, and which rows others have been told of."""

import logging
from itertools import islice
from typing import Any

from choreography.broker import Broker, BrokerAway
from choreography.messages import Message, RowData, subject, written
from partners.participant import Participation, Told

MARKED_AT_ONCE = 500
MOST_REMEMBERED = 20_000

log = logging.getLogger(__name__)


class Teller:
    """Tells the broker, and remembers what it took, to mark that in the store.

    It remembers MOST_REMEMBERED rows. A row beyond that stays unmarked, so that it is told a second time.
    """

    def __init__(self, broker: Broker, store: Participation[Any]) -> None:
        self._broker = broker
        self._store = store
        self._told: dict[str, int] = {}

    async def tell(self, message: Message) -> bool:
        """Whether the broker took the message. What a row tells is kept by the row, and told again later."""
        try:
            await self._broker.publish(subject(message), written(message), message.id)
        except BrokerAway as error:
            log.debug("%s is untold: %s", message.id, error)
            return False
        # A message with no row behind it has 0.
        if isinstance(message.data, RowData) and message.data.seq and len(self._told) < MOST_REMEMBERED:
            self._told[message.subject] = max(message.data.seq, self._told.get(message.subject, 0))
        return True

    async def mark(self) -> None:
        """Mark in the store what was told. Raises what the store's engine does; then nothing is forgotten."""
        while self._told:
            batch = [Told(*one) for one in islice(self._told.items(), MARKED_AT_ONCE)]
            await self._store.mark_told(batch)
            for key, seq in batch:
                if self._told[key] == seq:
                    del self._told[key]
