"""Listening to the broker's messages: many side by side, each tried again, and a dead letter in the end."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from nats.aio.msg import Msg

from choreography.broker import Broker
from choreography.delivery import Delivery, TryLater, Unreadable
from choreography.held import Held
from choreography.outcomes import ACK, NAK, Outcomes
from choreography.pulling import Pull, pull_on
from choreography.streams import consumer
from guard.backoff import BackoffPolicy
from serving.beside import TIDIES_UP_S, end

PLACES = 32
LEAVE_S = 2.0

Handle = Callable[[Delivery], Awaitable[None]]

log = logging.getLogger(__name__)


async def listen(  # noqa: PLR0913 - three have defaults
    broker: Broker,
    durable: str,
    subjects: Sequence[str],
    handle: Handle,
    backoff: BackoffPolicy,
    *,
    places: int = PLACES,
    expected: tuple[type[Exception], ...] = (),
    is_open: Callable[[], bool] = lambda: True,
) -> None:
    """Call `handle` with each message of the subjects, `places` at once, until cancelled.

    All who listen under one `durable` name share its messages. If `handle` returns, the message is done. If
    it raises TryLater or one of the `expected` errors, the message comes again after `backoff`. After any
    other error it does too, and the error is logged. A message that fails at the last of the policy's
    attempts becomes a dead letter. One that is Unreadable does so at once.

    No message is asked for while `is_open` says no.
    """
    listener = _Listener(Held(broker), handle, Outcomes(broker, durable, backoff), expected)

    async def ask(pull: Pull) -> None:
        if is_open():
            await pull.want(places - len(listener.tasks), places)

    async with listener.held.kept():
        try:
            await pull_on(broker, consumer(durable, subjects), listener.take, listener.changed, ask)
        finally:
            await listener.leave()


class _Listener:
    """Handles each message in a task of its own, and answers it."""

    def __init__(
        self,
        held: Held,
        handle: Handle,
        outcomes: Outcomes,
        expected: tuple[type[Exception], ...],
    ) -> None:
        self.held = held
        self.tasks: set[asyncio.Task[None]] = set()
        self.changed = asyncio.Event()
        self._handle = handle
        self._outcomes = outcomes
        self._expected: tuple[type[Exception], ...] = (TryLater, Unreadable, *expected)

    def take(self, message: Msg) -> None:
        """Begin to handle a message."""
        self.held.add(message)
        task = asyncio.create_task(self._deal_with(message))
        self.tasks.add(task)
        task.add_done_callback(self._done)

    async def leave(self) -> None:
        """Let what is being handled end, within LEAVE_S. What does not is cancelled, and comes again."""
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=LEAVE_S)
        await end([*self.tasks], TIDIES_UP_S)

    def _done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self.changed.set()

    async def _deal_with(self, message: Msg) -> None:
        try:
            word = await self._word(Delivery.of(message))
        except BaseException:  # cancelled, most likely
            await self.held.answer(message, NAK)
            raise
        await self.held.answer(message, word)

    async def _word(self, delivery: Delivery) -> bytes:
        """Handle a message, and say what the broker is to do with it."""
        if self._outcomes.is_overdue(delivery):
            return await self._outcomes.give_up(delivery, "each delivery ended without an answer")
        try:
            await self._handle(delivery)
        except self._expected as error:
            return await self._outcomes.failed(delivery, error)
        except Exception as error:
            log.exception("%s was not handled", delivery.message_id)
            return await self._outcomes.failed(delivery, error)
        return ACK
