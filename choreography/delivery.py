"""A message as a handler gets it, and what a handler may say of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from nats.aio.msg import Msg

MESSAGE_ID = "Nats-Msg-Id"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of a message. `attempt` counts the deliveries, from 1."""

    subject: str
    body: bytes
    message_id: str
    attempt: int
    published_at: datetime

    @classmethod
    def of(cls, message: Msg) -> Self:
        """The delivery that nats-py made of the broker's line."""
        told = message.metadata
        message_id = (message.headers or {}).get(MESSAGE_ID) or f"{told.stream}/{told.sequence.stream}"
        return cls(message.subject, message.data, message_id, told.num_delivered, told.timestamp)


class TryLater(Exception):
    """A handler could not deal with a message yet. It comes again, after `after_s` seconds at the least."""

    def __init__(self, after_s: float | None = None, error: str = "") -> None:
        super().__init__(error or "later")
        self.after_s = after_s


class Unreadable(Exception):
    """A message that no handler will ever understand: it cannot be parsed, or its version is unknown."""
