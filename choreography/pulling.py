"""Pull requests for one durable consumer, of which one always waits at the broker."""

import asyncio
import contextlib
import json
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NoReturn

from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig
from nats.js.errors import NotFoundError

from choreography.broker import RECONNECT, Broker, Connection
from choreography.streams import TRIPS, UNUSABLE
from guard.backoff import next_delay

PULL_S = 1.0
"""How long one request waits at the broker. A listener that stops asking gets messages that much longer."""

_LATE_S = 1.0
_TIME_IS_UP = "408"

log = logging.getLogger(__name__)


class Gone(Exception):
    """The consumer cannot be pulled from: it is gone, or the connection is."""


class Pull:
    """Asks for messages over one connection. Made by `pull_on`."""

    def __init__(
        self,
        connection: Connection,
        config: ConsumerConfig,
        take: Callable[[Msg], None],
        changed: asyncio.Event,
    ) -> None:
        self._connection = connection
        self._inbox = connection.client.new_inbox()
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{TRIPS}.{config.name}"
        self._take = take
        self._changed = changed
        self._asked = 0
        self._end_by = 0.0
        self._gone = ""

    async def want(self, free: int, places: int) -> None:
        """Ask for as many messages as there are free places, less those that are asked for already.

        A request costs as much as a message. So nothing is asked while half of all places are asked for.
        Raises Gone.
        """
        now = asyncio.get_running_loop().time()
        if now > self._end_by:
            self._asked = 0  # the end of the last request was lost
        more = free - self._asked
        if more <= 0 or self._asked > places // 2:
            return
        self._asked += more
        self._end_by = now + PULL_S + _LATE_S
        request = json.dumps({"batch": more, "expires": int(PULL_S * 1e9)})
        try:
            await self._connection.client.publish(self._subject, request.encode(), self._inbox)
        except UNUSABLE as error:
            raise Gone(repr(error)) from error

    async def wait(self) -> None:
        """Returns when something has changed, after PULL_S at the latest. Raises Gone."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PULL_S):
                await self._changed.wait()
        self._changed.clear()
        if self._gone or self._connection.lost:
            raise Gone(self._gone or "the connection is lost")

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Take what the broker sends, while the context is open."""
        subscription = await self._connection.client.subscribe(self._inbox, cb=self._on_message)
        self._connection.when_lost.add(self._changed.set)
        try:
            yield
        finally:
            self._connection.when_lost.discard(self._changed.set)
            with contextlib.suppress(*UNUSABLE):
                await subscription.unsubscribe()

    async def _on_message(self, message: Msg) -> None:
        if message.reply:
            self._asked -= 1
            self._take(message)
            return
        told = message.headers or {}
        if told.get("Status") == _TIME_IS_UP:
            self._asked -= int(told.get("Nats-Pending-Messages", self._asked))
        else:
            self._gone = f"{told.get('Status')} {told.get('Description', '')}"
        self._changed.set()


@contextlib.asynccontextmanager
async def _pulling(
    broker: Broker, config: ConsumerConfig, take: Callable[[Msg], None], changed: asyncio.Event
) -> AsyncIterator[Pull]:
    connection = await broker.connection()
    pull = Pull(connection, config, take, changed)
    try:
        await connection.js.add_consumer(TRIPS, config)
        async with pull.open():
            yield pull
    except NotFoundError as error:
        connection.give_up()  # the next connection declares the streams
        raise Gone("the stream is gone") from error
    except UNUSABLE as error:
        raise Gone(repr(error)) from error


async def pull_on(
    broker: Broker,
    config: ConsumerConfig,
    take: Callable[[Msg], None],
    changed: asyncio.Event,
    step: Callable[[Pull], Awaitable[None]],
) -> NoReturn:
    """Declare the consumer, and call `take` with each of its messages, until cancelled.

    Connections may come and go. Calls `step`, which asks for messages, whenever `changed` is set, and at
    least every PULL_S.
    """
    failures = 0
    while True:
        try:
            async with _pulling(broker, config, take, changed) as pull:
                while True:
                    await step(pull)
                    await pull.wait()
                    failures = 0
        except Gone as gone:
            log.info("%s pulls again: %s", config.name, gone)
        await asyncio.sleep(next_delay(RECONNECT, failures, random.uniform))
        failures += 1
