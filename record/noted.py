"""A message of a choreographed trip, as the record keeps it."""

from datetime import datetime
from typing import NamedTuple


class NotedMessage(NamedTuple):
    """A message of a trip, as it is kept. `at` is by the clock of who told it."""

    trip_id: str
    message_id: str
    subject: str
    source: str
    at: datetime
    body: str
