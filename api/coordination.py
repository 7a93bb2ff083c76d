"""What the front door asks of whoever carries an accepted trip to its end."""

from collections.abc import Awaitable, Mapping
from typing import Protocol

from trip.trip import Booking, OperatorOrder


class CoordinatorAway(Exception):
    """The coordinator gives no answer now. The front door answers 503 with `code`."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Coordinator(Protocol):
    """Carries trips to their end. Each of the first three raises CoordinatorAway."""

    async def start(self, booking: Booking) -> None:
        """Start the trip. A trip that has started already goes on unchanged."""

    async def cancel(self, trip_id: str) -> bool:
        """Undo the trip. False: its capture is decided, or it has ended."""

    async def operate(self, trip_id: str, order: OperatorOrder) -> bool:
        """Take an operator's order. False: the step does not need attention."""

    def checks(self) -> Mapping[str, Awaitable[None]]:
        """What a trip needs of this coordinator, by name. A check that fails raises any error."""
