"""The activity that asks a trip's row for leave to undo the trip."""

from collections.abc import Callable
from typing import Any

from temporalio import activity

from record import fence
from record.pool import Pool
from trip.fence import Barring, Standing


class FenceMarks:
    """The other marks are set by the activities whose calls they allow."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def activities(self) -> list[Callable[..., Any]]:
        """The one activity."""
        return [self.bar_sending]

    @activity.defn
    async def bar_sending(self, barring: Barring) -> Standing:
        """Leave to undo the trip, or word that its capture is decided."""
        return await fence.bar(self._pool, barring)
