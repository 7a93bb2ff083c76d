"""Listening to the broker's messages many at a time, for a handler that is cheaper by the batch."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from nats.aio.msg import Msg

from choreography.broker import Broker
from choreography.delivery import Delivery
from choreography.held import Held
from choreography.outcomes import ACK, Outcomes
from choreography.pulling import Pull, pull_on
from choreography.streams import consumer
from guard.backoff import BackoffPolicy

MOST = 100

HandleBatch = Callable[[list[Delivery]], Awaitable[None]]

Waits = Callable[[Sequence[Delivery]], float]
"""How many seconds these messages about one thing may wait for more, the last of which has just come."""

log = logging.getLogger(__name__)


class Taken(NamedTuple):
    """A message, and what a handler gets of it."""

    message: Msg
    delivery: Delivery


async def listen_in_batches(  # noqa: PLR0913 - three have defaults
    broker: Broker,
    durable: str,
    subjects: Sequence[str],
    handle_batch: HandleBatch,
    backoff: BackoffPolicy,
    *,
    most: int = MOST,
    expected: tuple[type[Exception], ...] = (),
    waits_s: Waits = lambda _: 0.0,
) -> None:
    """Call `handle_batch` with all messages that are there, at most so many, until cancelled.

    What comes while a batch is handled makes the next one. Messages about the same thing wait as long as
    `waits_s` says, and go together. If the handler returns, all messages of the batch are done. If it raises
    one of the `expected` errors, they all come again after `backoff`, however often. After any other error
    the messages are handled one by one. One that fails alone comes again, and becomes a dead letter at the
    last of the policy's attempts.
    """
    held, taken = Held(broker), _Taken(waits_s, most)
    batches = _Batches(held, handle_batch, Outcomes(broker, durable, backoff), expected)

    def take(message: Msg) -> None:
        held.add(message)
        taken.add(message)

    async def step(pull: Pull) -> None:
        await pull.want(most, most)  # for the next batch, while this one is handled
        if batch := taken.batch():
            await batches.deal_with(batch)

    async with held.kept():
        await pull_on(broker, consumer(durable, subjects), take, taken.changed, step)


class _Taken:
    """The messages that wait, by what they are about, and those that are to be handled next."""

    def __init__(self, waits_s: Waits, most: int) -> None:
        self.changed = asyncio.Event()
        self._waits_s = waits_s
        self._most = most
        self._waiting: defaultdict[str, list[Taken]] = defaultdict(list)
        self._number = 0
        self._next: list[Taken] = []

    def add(self, message: Msg) -> None:
        taken = Taken(message, Delivery.of(message))
        about = _about(taken.delivery)
        waiting = self._waiting[about]
        waiting.append(taken)
        self._number += 1
        wait_s = self._waits_s([one.delivery for one in waiting])
        if wait_s <= 0:
            self._let_go(about)
        elif self._number < self._most:
            asyncio.get_running_loop().call_later(wait_s, self._let_go, about)
        else:
            for each in tuple(self._waiting):
                self._let_go(each)

    def batch(self) -> list[Taken]:
        """The messages that wait no longer."""
        batch, self._next = self._next, []
        return batch

    def _let_go(self, about: str) -> None:
        messages = self._waiting.pop(about, [])
        self._number -= len(messages)
        self._next += messages
        self.changed.set()


def _about(delivery: Delivery) -> str:
    """The message's trip, which is the second part of its id. A message with another id is about itself."""
    return delivery.message_id.split("/", 2)[1] if "/" in delivery.message_id else delivery.message_id


class _Batches:
    def __init__(
        self,
        held: Held,
        handle: HandleBatch,
        outcomes: Outcomes,
        expected: tuple[type[Exception], ...],
    ) -> None:
        self._held = held
        self._handle = handle
        self._outcomes = outcomes
        self._expected = expected

    async def deal_with(self, batch: list[Taken]) -> None:
        """Handle messages and answer them."""
        deliveries = [one.delivery for one in batch]
        words = await self._together(deliveries) or [await self._alone(delivery) for delivery in deliveries]
        for one, word in zip(batch, words, strict=True):
            await self._held.answer(one.message, word)

    async def _together(self, deliveries: list[Delivery]) -> list[bytes]:
        """What is to be said of each; nothing if they have to be handled one by one."""
        try:
            await self._handle(deliveries)
        except self._expected as error:
            log.info("a batch of %d comes again: %r", len(deliveries), error)
            return [self._outcomes.later(delivery) for delivery in deliveries]
        except Exception:
            log.exception("a batch of %d failed", len(deliveries))
            return []
        return [ACK] * len(deliveries)

    async def _alone(self, delivery: Delivery) -> bytes:
        try:
            await self._handle([delivery])
        except self._expected:
            return self._outcomes.later(delivery)
        except Exception as error:
            return await self._outcomes.failed(delivery, error)
        return ACK
