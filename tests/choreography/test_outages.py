"""The broker killed, stopped, emptied and filled: nothing acknowledged is lost, and all goes on by itself."""

import asyncio
import itertools
import signal
import time

import pytest

from choreography import pulling
from choreography.broker import Broker, BrokerAway, ask, connected
from choreography.streams import TRIPS, consumer, make_room
from tests.choreography.hearing import Heard, listening
from tests.choreography.server import Server
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.server

PUBLISHERS = 8


async def publish_on(broker: Broker, name: str, acknowledged: set[str], first: int) -> None:
    """Publish one message after the other, until cancelled. Note those that the broker has acknowledged."""
    for number in itertools.count(first, PUBLISHERS):
        message_id = f"{name}/{number}"
        try:
            await broker.publish(f"trips.{name}.x", b"x" * 900, message_id)
        except BrokerAway:
            await asyncio.sleep(0.01)
        else:
            acknowledged.add(message_id)


async def given_up(broker: Broker) -> None:
    """Returns when the broker's connection is lost."""
    while True:
        try:
            broker.current()
        except BrokerAway:
            return
        await asyncio.sleep(0.01)


async def more_than(acknowledged: set[str], count: int) -> None:
    """Returns when so many more are acknowledged."""
    aim = len(acknowledged) + count
    async with asyncio.timeout(PATIENCE_S):
        while len(acknowledged) < aim:
            await asyncio.sleep(0.01)


async def test_no_acknowledged_message_is_lost_when_the_server_is_killed(own_nats: Server) -> None:
    heard, acknowledged = Heard(), set[str]()
    async with connected(own_nats.url, "test") as broker, listening(broker, "killed", heard):
        publishers = [
            asyncio.create_task(publish_on(broker, "killed", acknowledged, first))
            for first in range(PUBLISHERS)
        ]
        for _ in range(3):
            await more_than(acknowledged, 100)
            own_nats.send(signal.SIGKILL)
            await own_nats.start()
        await more_than(acknowledged, 100)
        for task in publishers:
            task.cancel()
        await asyncio.wait(publishers)
        await heard.until(lambda heard: acknowledged <= set(heard.ids))


async def test_what_comes_after_a_restart_is_heard_at_once(
    own_nats: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "PULL_S", PATIENCE_S)
    heard = Heard()
    async with connected(own_nats.url, "test") as broker, listening(broker, "again", heard):
        await broker.connection()
        await broker.publish("trips.again.x", b"", "again/1")
        await heard.until(lambda heard: len(heard.deliveries) == 1)
        own_nats.send(signal.SIGKILL)
        with pytest.raises(BrokerAway):
            await broker.publish("trips.again.x", b"", "again/away")
        await own_nats.start()
        began = time.monotonic()
        async with connected(own_nats.url, "another") as other:
            await other.connection()
            await other.publish("trips.again.x", b"", "again/2")
            await heard.until(lambda heard: "again/2" in heard.ids)
        assert time.monotonic() - began < PATIENCE_S / 2, (
            "the listener waited for a request that died with the server"
        )


async def test_a_server_that_stands_still_is_away_until_it_goes_on(own_nats: Server) -> None:
    heard = Heard()
    async with connected(own_nats.url, "test") as broker, listening(broker, "still", heard):
        await broker.connection()
        await broker.publish("trips.still.x", b"", "still/1")
        await heard.until(lambda heard: len(heard.deliveries) == 1)
        own_nats.send(signal.SIGSTOP)
        with pytest.raises(BrokerAway):
            await broker.publish("trips.still.x", b"", "still/2")
        async with asyncio.timeout(PATIENCE_S):
            await given_up(broker)
        own_nats.send(signal.SIGCONT)
        await broker.connection()
        await broker.publish("trips.still.x", b"", "still/3")
        await heard.until(lambda heard: "still/3" in heard.ids)


async def test_who_publishes_declares_a_stream_that_was_deleted(own_nats: Server) -> None:
    async with connected(own_nats.url, "test") as broker, asyncio.timeout(PATIENCE_S):
        await (await broker.connection()).js.delete_stream(TRIPS)
        with pytest.raises(BrokerAway, match="no stream"):
            await broker.publish("trips.gone.x", b"", "gone/1")
        await broker.connection()
        await broker.publish("trips.gone.x", b"", "gone/1")


async def test_who_listens_declares_a_stream_that_was_deleted_and_goes_on(own_nats: Server) -> None:
    heard = Heard()
    async with connected(own_nats.url, "test") as broker, listening(broker, "gone", heard):
        js = (await broker.connection()).js
        await broker.publish("trips.gone.x", b"", "gone/1")
        await heard.until(lambda heard: len(heard.deliveries) == 1)
        await js.delete_stream(TRIPS)
        async with asyncio.timeout(PATIENCE_S):
            await given_up(broker)
            await broker.connection()
        await broker.publish("trips.gone.x", b"", "gone/2")
        await heard.until(lambda heard: "gone/2" in heard.ids)


async def test_a_consumer_that_is_deleted_is_declared_again(own_nats: Server) -> None:
    heard = Heard()
    async with connected(own_nats.url, "test") as broker, listening(broker, "lost", heard):
        connection = await broker.connection()
        await broker.publish("trips.lost.x", b"", "lost/1")
        await heard.until(lambda heard: len(heard.deliveries) == 1)
        await connection.js.delete_consumer(TRIPS, "lost")
        await broker.publish("trips.lost.x", b"", "lost/2")
        await heard.until(lambda heard: "lost/2" in heard.ids)


async def test_a_full_stream_refuses_until_what_is_done_with_makes_room(own_nats: Server) -> None:
    heard = Heard()
    async with connected(own_nats.url, "test") as broker:
        js = (await broker.connection()).js
        await js.add_consumer(TRIPS, consumer("full", ["trips.full.>"]))
        small = (await js.stream_info(TRIPS)).config
        await js.update_stream(small, max_bytes=20_000)
        with pytest.raises(BrokerAway, match="maximum bytes"):
            for number in range(40):
                await broker.publish("trips.full.x", b"x" * 900, f"full/{number}")
        await make_room(js, 0)
        assert (await js.stream_info(TRIPS)).state.messages == number, "nobody was done with them"
        async with listening(broker, "full", heard), asyncio.timeout(PATIENCE_S):
            await heard.until(lambda heard: len(heard.deliveries) == number)
            while (await js.stream_info(TRIPS)).state.messages:
                await make_room(js, 0)
            await broker.publish("trips.full.x", b"", "full/room")
            await heard.until(lambda heard: heard.ids[-1] == "full/room")
        async with connected(own_nats.url, "another") as other:
            js = (await other.connection()).js
            assert (await js.stream_info(TRIPS)).config.max_bytes == 2**30, "who connects declares it anew"


async def test_a_process_starts_without_a_broker(own_nats: Server) -> None:
    own_nats.send(signal.SIGKILL)
    heard = Heard()
    async with connected(own_nats.url, "test") as broker, listening(broker, "early", heard):
        with pytest.raises(BrokerAway):
            await ask(broker)
        with pytest.raises(BrokerAway):
            await broker.publish("trips.early.x", b"", "early/1")
        await own_nats.start()
        async with asyncio.timeout(PATIENCE_S):
            await broker.connection()
        await broker.publish("trips.early.x", b"", "early/1")
        await heard.until(lambda heard: bool(heard.deliveries))
