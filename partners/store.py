"""What a partner's engine has to do, whichever engine it is.

One transaction of the engine does both the reservation's record and its effect on stock, points or
money: an insert that wins or loses, never a check followed by a write. Time is the engine's own clock.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from pydantic import BaseModel


class Status(StrEnum):
    """Where a reservation stands."""

    HELD = "held"
    CONFIRMED = "confirmed"
    RELEASED = "released"
    EXPIRED = "expired"


class Reservation(BaseModel):
    """A reservation as the service shows it. A key closed before it was ever held has only key and status."""

    key: str
    reference: str | None = None
    status: Status
    amount_minor: int | None = None
    currency: str | None = None
    expires_at: datetime | None = None


class Code(StrEnum):
    """Final refusals: repeating the same call cannot change the answer by itself."""

    SOLD_OUT = "sold_out"
    NOT_FOUND = "not_found"
    DECLINED = "declined"
    INSUFFICIENT_POINTS = "insufficient_points"
    CLOSED = "closed"
    EXPIRED = "expired"


class Refused(Exception):
    """A final refusal, answered 409 with its `code`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class DifferentBody(Exception):
    """The key is known with another body: answered 422."""


class UnknownKey(Exception):
    """No reservation has this key: answered 404."""


B_contra = TypeVar("B_contra", bound=BaseModel, contravariant=True)


class Store(Protocol[B_contra]):
    """A partner's reservations on its engine. Every call has a time limit; TimeoutError where it is over."""

    async def hold(self, key: str, body: B_contra) -> tuple[Reservation, bool]:
        """Hold what `body` asks for under `key`.

        Returns the reservation and whether it is new; the same body (by value) under the same key gives
        the same reservation, held or confirmed, as it stands. Raises Refused (no record is left, so it
        may be tried again), Refused(CLOSED) where the key was released or has expired, whatever the
        body, and DifferentBody.
        """
        ...

    async def confirm(self, key: str) -> Reservation:
        """Make the hold final, however often. Raises UnknownKey, Refused(EXPIRED), Refused(CLOSED)."""
        ...

    async def release(self, key: str) -> Reservation:
        """Give back what the key holds or has confirmed, however often; a key never seen is closed."""
        ...

    async def erase(self, key: str) -> None:
        """Take whom it is for out of what is kept of `key`, however often.

        What was booked stays as it is. From then on the hold cannot be repeated: it counts as another body.
        """
        ...

    async def get(self, key: str) -> Reservation:
        """The reservation of `key`. Raises UnknownKey."""
        ...

    async def list(self, status: Status | None, limit: int, after: str | None) -> Sequence[Reservation]:
        """At most `limit` reservations in the order of their keys, those after the key `after`."""
        ...

    async def expire_due(self) -> int:
        """Free what unconfirmed holds past their expiry held; returns how many were expired."""
        ...

    async def ping(self) -> None:
        """Raises where the engine does not answer."""
        ...

    async def close(self) -> None:
        """Give back the connections."""
        ...
