"""An answer is looked up once for all who ask, and then for a while not again."""

import asyncio

import pytest

from serving.one_flight import OneFlight


class Source:
    """Counts the looks. Each waits until it may end."""

    def __init__(self) -> None:
        self.looks = 0
        self.may_end = asyncio.Event()
        self.error: Exception | None = None
        self.now = 100.0

    async def look(self) -> int:
        self.looks += 1
        await self.may_end.wait()
        if self.error:
            raise self.error
        return self.looks

    def flight(self) -> OneFlight[int]:
        return OneFlight(self.look, 1.0, lambda: self.now)


@pytest.fixture
def source() -> Source:
    return Source()


async def test_all_who_ask_at_once_share_a_look(source: Source) -> None:
    flight = source.flight()
    asking = [asyncio.create_task(flight.get()) for _ in range(150)]
    await asyncio.sleep(0)
    source.may_end.set()
    assert await asyncio.gather(*asking) == [1] * 150
    assert source.looks == 1


async def test_an_answer_stands_for_its_time_from_the_end_of_the_look(source: Source) -> None:
    flight = source.flight()
    asking = asyncio.create_task(flight.get())
    await asyncio.sleep(0)
    source.now += 5
    source.may_end.set()
    assert await asking == 1
    source.now += 0.99
    assert await flight.get() == 1
    source.now += 0.01
    assert await flight.get() == 2


async def test_an_error_stands_as_long_as_an_answer(source: Source) -> None:
    flight = source.flight()
    source.may_end.set()
    source.error = OSError("away")
    for _ in range(3):
        with pytest.raises(OSError, match="away"):
            await flight.get()
    assert source.looks == 1
    source.error = None
    source.now += 1
    assert await flight.get() == 2


async def test_a_caller_that_leaves_takes_the_answer_from_nobody(source: Source) -> None:
    flight = source.flight()
    leaving, staying = asyncio.create_task(flight.get()), asyncio.create_task(flight.get())
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    source.may_end.set()
    assert await staying == 1
    assert source.looks == 1
