"""Who stands in for trips: it tells partners what to do, and hears what they tell."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from choreography.broker import Broker
from choreography.delivery import Delivery
from choreography.listener import listen
from choreography.messages import Message, read, subject, written
from tests.choreography.hearing import QUICK
from tests.patience import PATIENCE_S

M = TypeVar("M", bound=Message)


class Trips:
    """All messages that the broker had since this began to listen. Made by `trips_at`."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._heard: list[Message] = []
        self._more = asyncio.Condition()

    async def tell(self, message: Message) -> None:
        """Publish a message."""
        await self._broker.publish(subject(message), written(message), message.id)

    def of(self, trip_id: str, kind: type[M]) -> list[M]:
        """What was heard of a trip, in order."""
        return [m for m in self._heard if m.subject == trip_id and isinstance(m, kind)]

    async def heard(self, trip_id: str, kind: type[M], source: str | None = None) -> M:
        """The first message of this kind, once it is heard."""

        def found() -> list[M]:
            return [m for m in self.of(trip_id, kind) if source in (None, m.source)]

        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S), self._more:
                await self._more.wait_for(found)
        assert found(), f"no {kind.__name__} of {trip_id}, but {self.of(trip_id, Message)}"
        return found()[0]

    async def hear(self, delivery: Delivery) -> None:
        """What the listener calls."""
        self._heard.append(read(delivery.body))
        async with self._more:
            self._more.notify_all()


@asynccontextmanager
async def trips_at(broker: Broker, name: str) -> AsyncIterator[Trips]:
    """Hear everything, as the consumer of this name."""
    trips = Trips(broker)
    task = asyncio.create_task(listen(broker, name, ["trips.>"], trips.hear, QUICK))
    try:
        yield trips
    finally:
        task.cancel()
        await asyncio.wait([task])
