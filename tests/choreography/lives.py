"""The lives of a partner's process: each dies at one point of a message's way, and the next one goes on."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from choreography.acting import Actor, Answer, Asked
from choreography.delivery import TryLater
from choreography.messages import Message
from choreography.participant import Hearing
from choreography.relay import look
from choreography.telling import Teller
from partners.participant import Participant
from serving.beside import end
from tests.choreography.partner import BACKOFF, SEAL, Noting, delivery, service_of
from tests.partners.proxy import Proxy
from tests.partners_engines.engines import Engine, opened
from trip.partner import PAYMENT, Partner

AT_ONCE = 6
LOOK_EVERY_S = 0.05
ACKNOWLEDGEMENT_LOST = 0.1
NOT_TAKEN = 0.3


class Point(StrEnum):
    """Where a process dies on the way of a message."""

    BEFORE_COMMIT = "before the commit"
    AFTER_COMMIT = "after the commit"
    AFTER_TELLING = "after the broker's acknowledgement"
    AFTER_ALL = "after ours"


@dataclass
class Deliveries:
    """What the broker has yet to deliver, in any order. What is not acknowledged comes again."""

    draw: random.Random
    waiting: list[Message]
    in_hand: int = 0

    @contextlib.asynccontextmanager
    async def taken(self) -> AsyncIterator[Message]:
        """A message, which comes again if the context is left by an error, and sometimes if not."""
        message = self.waiting.pop(self.draw.randrange(len(self.waiting)))
        self.in_hand += 1
        try:
            yield message
        except BaseException:
            self.waiting.append(message)
            raise
        finally:
            self.in_hand -= 1
        if self.draw.random() < ACKNOWLEDGEMENT_LOST:
            self.waiting.append(message)


class Mortal(Noting):
    """A broker as a process reaches it that dies when it comes to `point` for the `turn`th time.

    It takes most messages. What it does not take, the relay has to tell.
    """

    def __init__(self, draw: random.Random, point: Point | None = None, turn: int = 0) -> None:
        super().__init__()
        self._draw = draw
        self.dead = asyncio.Event()
        self._point = point
        self._left = turn

    def comes_to(self, point: Point) -> None:
        """Returns if the process lives on."""
        if point is self._point:
            self._left -= 1
            if not self._left:
                self.dead.set()
        self.lives()

    def lives(self) -> None:
        """Returns if the process lives."""
        if self.dead.is_set():
            raise asyncio.CancelledError

    async def publish(self, subject: str, body: bytes, message_id: str, headers: object = None) -> None:
        self.lives()
        self.away = self._draw.random() < NOT_TAKEN
        await super().publish(subject, body, message_id, headers)
        self.comes_to(Point.AFTER_TELLING)


class Life:
    """A partner's process: its handler, its relay and its sweep."""

    def __init__(self, me: Partner, store: Participant[Any], broker: Mortal) -> None:
        self._me = me
        self._store = store
        self._broker = broker
        self._actor = Actor(me, store, SEAL if me is PAYMENT else None)
        self._teller = Teller(broker, store)
        hearing = Hearing(me, self._act, self._teller, BACKOFF, service_of(me.value).away)
        self._handle = hearing.handler(f"{me}-do")

    async def live(self, deliveries: Deliveries, cut: Callable[[], None]) -> None:
        """Deal with what is delivered until nothing is left, or until death, which cuts all connections."""
        tasks = [
            asyncio.create_task(one)
            for one in (self._work_all(deliveries), self._relay(), self._broker.dead.wait())
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if self._broker.dead.is_set():
            cut()
        await end(tasks)
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception) and not self._broker.dead.is_set():
                raise ended

    async def _work_all(self, deliveries: Deliveries) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._work(deliveries))

    async def _act(self, asked: Asked) -> Answer:
        self._broker.comes_to(Point.BEFORE_COMMIT)
        answer = await self._actor.act(asked)
        self._broker.comes_to(Point.AFTER_COMMIT)
        return answer

    async def _work(self, deliveries: Deliveries) -> None:
        """Deal with what is delivered until nothing is left."""
        while deliveries.waiting or deliveries.in_hand:
            if not deliveries.waiting:
                await asyncio.sleep(LOOK_EVERY_S)
                continue
            with contextlib.suppress(TryLater):
                async with deliveries.taken() as message:
                    await self._handle(delivery(message))
            self._broker.comes_to(Point.AFTER_ALL)

    async def _relay(self) -> None:
        """Give back expired holds and tell what is untold, until cancelled."""
        seen: frozenset[tuple[str, int]] = frozenset()
        while True:
            await self._store.expire_due()
            seen = await look(self._me, self._store, self._teller, seen)
            await asyncio.sleep(LOOK_EVERY_S)


async def lived(me: Partner, engine: Engine, hold_s: float, broker: Mortal, deliveries: Deliveries) -> None:
    """One life, with connections of its own to the engine."""
    proxy = Proxy(engine.url)
    url = await proxy.start()
    try:
        async with opened(service_of(me.value), replace(engine, url=url), hold_s) as store:
            await Life(me, store, broker).live(deliveries, proxy.cut)
            proxy.restore()  # what is closed may say goodbye
    finally:
        await proxy.stop()
