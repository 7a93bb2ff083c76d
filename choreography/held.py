"""The messages that a listener holds, of which the broker is told each second that they are in hand."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable

from nats.aio.msg import Msg

from choreography.broker import Broker, BrokerAway
from choreography.outcomes import NAK
from choreography.streams import UNUSABLE
from serving.beside import end

TELL_EVERY_S = 1.0

_GO_ON = b"+WPI"


class Held:
    """Messages that are not answered yet. They outlive a connection, since any connection can answer them."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._replies: set[str] = set()

    def add(self, message: Msg) -> None:
        """Hold a message. Whoever does has to answer it in the end."""
        self._replies.add(message.reply)

    async def answer(self, message: Msg, word: bytes) -> None:
        """Say what came of a message, and let go of it. If that gets lost, the message comes again."""
        self._replies.discard(message.reply)
        await self._say(message.reply, word)

    @contextlib.asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Tell the broker of what is held, while the context is open. What is held then comes again."""
        telling = asyncio.create_task(self._tell())
        try:
            yield
        finally:
            await end([telling])
            await self._say_of(self._replies, NAK)

    async def _tell(self) -> None:
        before: set[str] = set()
        while True:
            await self._say_of(before & self._replies, _GO_ON)
            before = set(self._replies)
            await asyncio.sleep(TELL_EVERY_S)

    async def _say_of(self, replies: Iterable[str], word: bytes) -> None:
        for reply in tuple(replies):
            await self._say(reply, word)

    async def _say(self, reply: str, word: bytes) -> None:
        with contextlib.suppress(BrokerAway, *UNUSABLE):
            await self._broker.current().client.publish(reply, word)
