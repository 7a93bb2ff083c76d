"""What a listener gets of each message, and what becomes of those that it cannot deal with."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from choreography import pulling
from choreography.broker import Broker, ask, connected
from choreography.dead import DeadLetter, dead_letters, drop, replay
from choreography.delivery import Delivery, TryLater, Unreadable
from tests.choreography.hearing import Heard, listening
from tests.choreography.server import Server
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Broker]:
    """A broker of this file's own: other tests' listeners would bury letters among these."""
    server = Server(tmp_path_factory.mktemp("nats"))
    await server.start()
    async with connected(server.url, "tests") as broker:
        await broker.connection()
        yield broker
    server.stop()


async def dead(broker: Broker, name: str) -> DeadLetter:
    """The one dead letter of a consumer, as soon as there is one."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for letter in await dead_letters(broker):
                if letter.consumer == name:
                    return letter
            await asyncio.sleep(0.02)


async def test_a_lone_message_is_heard_at_once_with_its_id(
    broker: Broker, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "PULL_S", PATIENCE_S)
    await ask(broker)
    heard = Heard()
    async with listening(broker, name, heard):
        await broker.publish(f"trips.{name}.first", b"1", f"{name}/1")
        await heard.until(lambda heard: bool(heard.deliveries))
        began = time.monotonic()
        await broker.publish(f"trips.{name}.lone", b"2", f"{name}/2")
        await broker.publish(f"trips.{name}.lone", b"2", f"{name}/2")
        await heard.until(lambda heard: len(heard.deliveries) == 2)
        assert time.monotonic() - began < PATIENCE_S / 2, "a lone message waited for others"
    first, lone = heard.deliveries
    assert (lone.subject, lone.body, lone.message_id) == (f"trips.{name}.lone", b"2", f"{name}/2")
    assert (first.message_id, lone.attempt) == (f"{name}/1", 1)
    assert abs(lone.published_at.timestamp() - time.time()) < PATIENCE_S


async def test_a_slow_message_does_not_hold_up_others_nor_come_twice(broker: Broker, name: str) -> None:
    go_on = asyncio.Event()

    async def slowly(delivery: Delivery) -> None:
        if delivery.body == b"slow":
            await go_on.wait()

    heard = Heard(slowly)
    async with listening(broker, name, heard, places=2):
        await broker.publish(f"trips.{name}.x", b"slow", f"{name}/slow")
        for number in range(40):
            await broker.publish(f"trips.{name}.x", b"", f"{name}/{number}")
        await heard.until(lambda heard: len(heard.deliveries) == 41)
        # Longer than the broker waits for an acknowledgement.
        with pytest.raises(TimeoutError):
            await heard.until(lambda heard: len(heard.deliveries) > 41, within_s=3.6)
        go_on.set()
    assert sorted(heard.ids) == sorted({f"{name}/slow", *(f"{name}/{number}" for number in range(40))})


async def test_a_failure_comes_again_later_and_dies_at_the_last_attempt(broker: Broker, name: str) -> None:
    came: list[float] = []

    async def fail(_: Delivery) -> None:
        came.append(time.monotonic())
        raise TryLater(0.2, "not yet")

    heard = Heard(fail)
    async with listening(broker, name, heard):
        await broker.publish(f"trips.{name}.x", b"body", f"{name}/1")
        letter = await dead(broker, name)
    assert [delivery.attempt for delivery in heard.deliveries] == [1, 2, 3]
    assert all(later - before > 0.19 for before, later in itertools.pairwise(came))
    assert (letter.subject, letter.message_id, letter.body) == (f"trips.{name}.x", f"{name}/1", "body")
    assert (letter.error, letter.deliveries) == ("TryLater: not yet", 3)


async def test_an_unknown_message_dies_at_once_and_can_be_replayed(broker: Broker, name: str) -> None:
    understands = False

    async def read(delivery: Delivery) -> None:
        if not understands:
            raise Unreadable("trips.held.v9\nis unknown, é \ud800")

    heard = Heard(read)
    async with listening(broker, name, heard):
        await broker.publish(f"trips.{name}.x", b"\xff", f"{name}/1")
        letter = await dead(broker, name)
        assert (letter.error, letter.deliveries) == ("Unreadable: trips.held.v9 is unknown, é ?", 1)
        assert letter.trip_id is None
        understands = True
        assert await replay(broker, letter.sequence) == letter
        await heard.until(lambda heard: len(heard.deliveries) == 2)
        assert heard.deliveries[1].body == b"\xff"
        assert heard.ids[1] == f"{name}/1/r{letter.sequence}"
    assert name not in {letter.consumer for letter in await dead_letters(broker)}
    assert await replay(broker, letter.sequence) is None
    await drop(broker, letter.sequence)


async def test_a_dead_letter_names_the_trip_of_a_message_that_nobody_can_read(
    broker: Broker, name: str
) -> None:
    async def read(delivery: Delivery) -> None:
        raise Unreadable("trips.held.v9")

    async with listening(broker, name, Heard(read)):
        await broker.publish(f"trips.{name}.x", b'{"type": "trips.held.v9", "subject": "one"}', f"{name}/1")
        letter = await dead(broker, name)
    assert letter.trip_id == "one"
    await drop(broker, letter.sequence)


async def test_dead_letters_are_read_page_by_page(broker: Broker, name: str) -> None:
    async def fail(delivery: Delivery) -> None:
        raise Unreadable(delivery.message_id)

    async with listening(broker, name, Heard(fail)):
        for number in range(5):
            await broker.publish(f"trips.{name}.x", b"", f"{name}/{number}")
        async with asyncio.timeout(PATIENCE_S):
            while [one.consumer for one in await dead_letters(broker)].count(name) < 5:
                await asyncio.sleep(0.02)
    every = await dead_letters(broker)
    pages: list[DeadLetter] = []
    while page := await dead_letters(broker, pages[-1].sequence if pages else 0, 2):
        assert len(page) <= 2
        pages += page
    assert pages == every


async def test_a_bug_is_tried_again(broker: Broker, name: str) -> None:
    async def stumble(delivery: Delivery) -> None:
        if delivery.attempt == 1:
            raise KeyError("a bug")

    heard = Heard(stumble)
    async with listening(broker, name, heard):
        await broker.publish(f"trips.{name}.x", b"", f"{name}/1")
        await heard.until(lambda heard: len(heard.deliveries) == 2)


async def test_a_message_whose_deliveries_all_broke_off_is_given_up_unhandled(
    broker: Broker, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a message that kills its process."""
    monkeypatch.setattr("choreography.listener.LEAVE_S", 0)

    async def hang(_: Delivery) -> None:
        await asyncio.sleep(60)

    heard = Heard(hang)
    await broker.publish(f"trips.{name}.x", b"", f"{name}/1")
    for attempt in range(1, 4):
        async with listening(broker, name, heard):
            await heard.until(lambda heard, attempt=attempt: len(heard.deliveries) == attempt)  # type: ignore[misc]
    async with listening(broker, name, heard):
        letter = await dead(broker, name)
    assert letter.deliveries == 4
    assert len(heard.deliveries) == 3


async def test_who_is_closed_asks_for_nothing(broker: Broker, name: str) -> None:
    is_open = False
    heard = Heard()
    async with listening(broker, name, heard, is_open=lambda: is_open):
        await broker.publish(f"trips.{name}.x", b"", f"{name}/1")
        with pytest.raises(TimeoutError):
            await heard.until(lambda heard: bool(heard.deliveries), within_s=0.3)
        is_open = True
        await heard.until(lambda heard: bool(heard.deliveries))
    assert heard.deliveries[0].attempt == 1
