"""What the front door asks of whoever carries an accepted trip to its end."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Protocol

from trip.trip import Booking, OperatorOrder


class CoordinatorAway(Exception):
    """The coordinator gives no answer now. The front door answers 503 with `code`."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class NotReady(Exception):
    """A check failed. The message is shown to anybody who asks, so it names no address."""


class Coordinator(Protocol):
    """Carries trips to their end. Each of the first four raises CoordinatorAway."""

    cancels_unstarted: bool
    """Whether a trip can be cancelled before it has started."""

    async def start(self, booking: Booking) -> None:
        """Start the trip. A trip that has started already goes on unchanged."""

    async def cancel(self, trip_id: str) -> bool:
        """Undo the trip. False: its capture is decided, or it has ended."""

    async def operate(self, trip_id: str, order: OperatorOrder) -> bool:
        """Take an operator's order. False: the step does not need attention."""

    async def forget(self, trip_ids: Sequence[str]) -> None:
        """Delete what is kept of these trips beside the record. They have ended."""

    def checks(self) -> Mapping[str, Awaitable[None]]:
        """What a trip needs of this coordinator, by name. A failed check raises NotReady or another error."""
