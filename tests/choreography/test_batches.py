"""Messages that are heard many at a time: none waits for others, and a bad one spoils none."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence

import pytest

from choreography import pulling
from choreography.batches import HandleBatch, listen_in_batches
from choreography.broker import Broker
from choreography.dead import dead_letters
from choreography.delivery import Delivery
from tests.choreography.hearing import QUICK
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.server


class StoreIsAway(Exception):
    """What a handler expects of its store."""


@contextlib.asynccontextmanager
async def batches(broker: Broker, name: str, handle: HandleBatch) -> AsyncIterator[None]:
    """Listen in batches, while the context is open."""
    task = asyncio.create_task(
        listen_in_batches(broker, name, [f"trips.{name}"], handle, QUICK, expected=(StoreIsAway,))
    )
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_message_that_may_wait_is_handled_with_the_next_of_its_trip_or_after_a_moment(
    broker: Broker, name: str
) -> None:
    batches_heard: asyncio.Queue[list[str]] = asyncio.Queue()

    async def handle(batch: list[Delivery]) -> None:
        batches_heard.put_nowait([one.message_id.removeprefix(name) for one in batch])

    def waits_s(messages: Sequence[Delivery]) -> float:
        last = messages[-1]
        if last.message_id.endswith("/alone/1"):
            return 0.01
        return 60 if last.subject.endswith(".patient") else 0

    async def tell(subject: str, *ids: str) -> None:
        for message_id in ids:
            await broker.publish(f"trips.{name}.{subject}", b"", name + message_id)

    listening = listen_in_batches(broker, name, [f"trips.{name}.*"], handle, QUICK, most=4, waits_s=waits_s)
    task = asyncio.create_task(listening)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await tell("patient", "/alone/1")
            assert await batches_heard.get() == ["/alone/1"]
            await tell("patient", "/a/1", "/b/1", "/a/2")
            await tell("urgent", "/a/3")
            assert await batches_heard.get() == ["/a/1", "/a/2", "/a/3"]
            await tell("patient", "/c/1", "/d/1", "/e/1")
            assert await batches_heard.get() == ["/b/1", "/c/1", "/d/1", "/e/1"], "too many wait"
    finally:
        task.cancel()
        await asyncio.wait([task])


async def tell(broker: Broker, name: str, *bodies: str) -> None:
    """Publish messages whose ids end in their bodies."""
    await asyncio.gather(
        *(broker.publish(f"trips.{name}", body.encode(), f"{name}/{body}") for body in bodies)
    )


async def test_a_lone_message_waits_for_no_others_and_what_comes_meanwhile_is_one_batch(
    broker: Broker, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "PULL_S", PATIENCE_S)
    sizes: asyncio.Queue[int] = asyncio.Queue()
    go_on = asyncio.Event()

    async def handle(batch: list[Delivery]) -> None:
        sizes.put_nowait(len(batch))
        await go_on.wait()

    async with asyncio.timeout(PATIENCE_S), batches(broker, name, handle):
        began = time.monotonic()
        await tell(broker, name, "lone")
        assert await sizes.get() == 1
        assert time.monotonic() - began < PATIENCE_S / 2, "a lone message waited for others"
        await tell(broker, name, *map(str, range(60)))
        go_on.set()
        heard = 0
        while heard < 60:
            heard += await sizes.get()
    assert heard == 60
    assert sizes.empty()


async def test_a_store_that_is_away_costs_no_message_its_attempts(broker: Broker, name: str) -> None:
    attempts: list[int] = []
    done = asyncio.Event()

    async def handle(batch: list[Delivery]) -> None:
        attempts.append(batch[0].attempt)
        if batch[0].attempt <= QUICK.attempts + 2:
            raise StoreIsAway
        done.set()

    async with asyncio.timeout(PATIENCE_S), batches(broker, name, handle):
        await tell(broker, name, "1")
        await done.wait()
    assert attempts == list(range(1, QUICK.attempts + 4))
    assert name not in {letter.consumer for letter in await dead_letters(broker, limit=1000)}


async def test_a_bad_message_is_given_up_and_its_neighbours_are_handled(broker: Broker, name: str) -> None:
    handled: set[str] = set()

    async def handle(batch: list[Delivery]) -> None:
        if any(delivery.body == b"bad" for delivery in batch):
            raise ValueError("bad")
        handled.update(delivery.body.decode() for delivery in batch)

    await tell(broker, name, "1", "bad", "2", "3")
    async with asyncio.timeout(PATIENCE_S), batches(broker, name, handle):
        while name not in {letter.consumer for letter in await dead_letters(broker, limit=1000)}:
            await asyncio.sleep(0.02)
    (letter,) = [letter for letter in await dead_letters(broker, limit=1000) if letter.consumer == name]
    assert (letter.body, letter.deliveries, letter.error) == ("bad", QUICK.attempts, "ValueError: bad")
    assert handled == {"1", "2", "3"}
