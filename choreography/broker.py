"""The way to the broker: a connection that is kept up in the background, and messages that are told."""

import asyncio
import contextlib
import itertools
import json
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from choreography.delivery import MESSAGE_ID
from choreography.streams import UNUSABLE, declare, keep_room, streams
from guard.backoff import BackoffPolicy, Jitter, next_delay
from serving.beside import end

PUBLISH_S = 2.0
CONNECT_S = 2
PING_S = 2
DECLARE_S = 5.0
RECONNECT = BackoffPolicy(base_s=0.1, cap_s=2, jitter=Jitter.EQUAL)

log = logging.getLogger(__name__)


class BrokerAway(Exception):
    """The broker did not take a message: it is not reached, has no stream, or its stream is full."""


class Connection:
    """One connection to the broker. When it is lost, the broker makes another, and calls `when_lost`."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.js: JetStreamContext = client.jetstream(timeout=DECLARE_S)
        self.when_lost: set[Callable[[], None]] = set()
        self._lost = asyncio.Event()
        self._inbox = ""
        self._numbers = itertools.count()
        self._answers: dict[str, asyncio.Future[Msg]] = {}

    @property
    def lost(self) -> bool:
        """Whether the broker makes another connection."""
        return self._lost.is_set()

    async def open(self, url: str, name: str) -> None:
        """Connect, as long as that takes. Raises one of UNUSABLE."""
        await self.client.connect(
            url.split(","),
            name=name,
            error_cb=self._on_error,
            closed_cb=self._on_closed,
            allow_reconnect=False,
            connect_timeout=CONNECT_S,
            reconnect_time_wait=RECONNECT.base_s,  # type: ignore[arg-type]  # any number serves
            max_reconnect_attempts=-1,
        )
        self._inbox = self.client.new_inbox()
        await self.client.subscribe(f"{self._inbox}.*", cb=self._on_answer)

    async def until_lost(self) -> None:
        """Returns when the connection is lost. A server that does not answer a ping counts as lost."""
        while not self.lost:
            try:
                async with asyncio.timeout(PING_S):
                    await self._lost.wait()
            except TimeoutError:
                await self.client.flush(PING_S)

    async def close(self) -> None:
        """Fail what waits for an answer, and leave."""
        self.give_up()
        # nats-py asserts that `connect` got as far as its queue. It does not with a URL that is none.
        with contextlib.suppress(*UNUSABLE, AssertionError):
            async with asyncio.timeout(CONNECT_S):
                await self.client.close()

    def give_up(self) -> None:
        """Have the broker make another connection. What waits for an answer fails."""
        if self.lost:
            return
        self._lost.set()
        for tell in tuple(self.when_lost):
            tell()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(BrokerAway("the connection was lost"))

    async def request(self, subject: str, body: bytes, headers: dict[str, str], limit_s: float) -> Msg:
        """Publish, and wait for the answer. Raises BrokerAway and one of UNUSABLE."""
        number = str(next(self._numbers))
        answer: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            async with asyncio.timeout(limit_s):
                await self.client.publish(subject, body, f"{self._inbox}.{number}", headers)
                return await answer
        finally:
            del self._answers[number]

    async def _on_answer(self, message: Msg) -> None:
        answer = self._answers.get(message.subject.rpartition(".")[2])
        if answer is not None and not answer.done():
            answer.set_result(message)

    async def _on_error(self, error: Exception) -> None:
        log.debug("the broker's client says: %s", error)

    async def _on_closed(self) -> None:
        self.give_up()


class Broker:
    """The broker, which may be away. Made by `connected`."""

    def __init__(self, url: str, name: str, replicas: int) -> None:
        self._url = url
        self._name = name
        self._streams = streams(replicas)
        self._connection: Connection | None = None
        self._there = asyncio.Event()

    async def connection(self) -> Connection:
        """A connection, as soon as there is one whose streams are declared."""
        while (connection := self._connection) is None:
            await self._there.wait()
        return connection

    @property
    def is_there(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    def current(self) -> Connection:
        """The connection that there is. Raises BrokerAway."""
        if self._connection is None:
            raise BrokerAway("there is no connection to the broker")
        return self._connection

    async def publish(
        self, subject: str, body: bytes, message_id: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """Returns when the broker has the message on disk. Raises BrokerAway, after PUBLISH_S at the latest.

        The broker may have the message also if this raises. It drops a message whose id it had within two
        minutes.
        """
        connection = self.current()
        try:
            answer = await connection.request(
                subject, body, {**(headers or {}), MESSAGE_ID: message_id}, PUBLISH_S
            )
        except UNUSABLE as error:
            raise BrokerAway(f"the broker took no message: {error}") from error
        if not answer.data:
            connection.give_up()  # the next one declares the streams
            raise BrokerAway(f"no stream takes {subject}")
        told: dict[str, Any] = json.loads(answer.data)
        if "error" in told:
            raise BrokerAway(f"the broker refused a message: {told['error'].get('description')}")

    async def keep(self) -> None:
        """Connect, and connect again whenever the connection is lost, until cancelled."""
        failures = 0
        while True:
            connection = Connection(Client())
            connection.when_lost.add(self._lose)
            try:
                await connection.open(self._url, self._name)
                await declare(connection.js, self._streams)
                failures = 0
                await self._use(connection)
                log.warning("the connection to the broker was lost")
            except UNUSABLE as error:
                failures += 1
                log.warning("the broker cannot be used: %s", error)
            except Exception:
                failures += 1
                log.exception("the broker's client failed")
            finally:
                await connection.close()
            await asyncio.sleep(next_delay(RECONNECT, failures, random.uniform))

    async def _use(self, connection: Connection) -> None:
        making_room = asyncio.create_task(keep_room(connection.js))
        self._connection = connection
        self._there.set()
        try:
            await connection.until_lost()
        finally:
            making_room.cancel()
            self._lose()

    def _lose(self) -> None:
        self._connection = None
        self._there.clear()


@contextlib.asynccontextmanager
async def connected(url: str, name: str, replicas: int = 1) -> AsyncIterator[Broker]:
    """The broker at `url` (or at several, with commas between them), connected in the background.

    `name` names this process to the broker. The context is entered at once, also while the broker is away.
    """
    broker = Broker(url, name, replicas)
    keeping = asyncio.create_task(broker.keep())
    try:
        yield broker
    finally:
        await end([keeping])


async def ask(broker: Broker) -> None:
    """Returns if the broker answers within a second. Raises BrokerAway."""
    try:
        await broker.current().client.flush(1)
    except UNUSABLE as error:
        raise BrokerAway(f"the broker does not answer: {error}") from error
