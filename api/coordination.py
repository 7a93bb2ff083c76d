"""What the front door asks of whoever carries an accepted trip to its end."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from record.noted import NotedMessage
from trip.trip import Booking, OperatorOrder


class CoordinatorAway(Exception):
    """The coordinator gives no answer now. The front door answers 503 with `code`."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class NotReady(Exception):
    """A check failed. The message is shown to anybody who asks, so it names no address."""


class Begun(NamedTuple):
    """What begins a trip: a message that is kept with its row, and told once that is written."""

    noted: NotedMessage
    tell: Callable[[], Awaitable[None]]
    """Raises CoordinatorAway. What is then untold is told by whoever looks at the row."""


class Coordinator(Protocol):
    """Carries trips to their end. Each call of the first three raises CoordinatorAway."""

    cancels_unstarted: bool
    """Whether a trip can be cancelled before it has started."""

    def begins(self, booking: Booking) -> Begun | None:
        """What begins a trip as it is accepted. None if it takes a start."""

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
