"""Listeners that note what they hear, and what to do about it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from choreography.broker import Broker
from choreography.delivery import Delivery
from choreography.listener import listen
from guard.backoff import BackoffPolicy
from tests.patience import PATIENCE_S

QUICK = BackoffPolicy(base_s=0.02, cap_s=0.05, attempts=3)


class Heard:
    """What a listener was given, in order. `then` says what its handler does."""

    def __init__(self, then: Callable[[Delivery], Awaitable[None]] | None = None) -> None:
        self.deliveries: list[Delivery] = []
        self._then = then
        self._more = asyncio.Condition()

    async def __call__(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        async with self._more:
            self._more.notify_all()
        if self._then is not None:
            await self._then(delivery)

    @property
    def ids(self) -> list[str]:
        """The ids of the messages, in order, repeats included."""
        return [delivery.message_id for delivery in self.deliveries]

    async def until(self, holds: Callable[["Heard"], bool], within_s: float = PATIENCE_S) -> None:
        """Returns when the condition holds."""
        async with asyncio.timeout(within_s), self._more:
            await self._more.wait_for(lambda: holds(self))


@contextlib.asynccontextmanager
async def listening(broker: Broker, name: str, heard: Heard, **more: Any) -> AsyncIterator[None]:
    """Listen to `trips.NAME.>` as the consumer of that name, while the context is open."""
    backoff = more.pop("backoff", QUICK)
    task = asyncio.create_task(listen(broker, name, [f"trips.{name}.>"], heard, backoff, **more))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
