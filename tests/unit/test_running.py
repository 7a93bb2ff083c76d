"""Time limits by the time that the loop runs: a loop that was held up reads first what has arrived."""

import asyncio
import socket
import time

import pytest

from serving.running import LATE_S, TICK_S, RunningTime, time_limit
from tests.patience import PATIENCE_S

HELD_UP_S = 1.5


async def test_a_limit_ends_the_wait_in_time() -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        async with time_limit(2 * TICK_S + 0.1):
            await asyncio.Event().wait()
    assert time.monotonic() - began > 2 * TICK_S + 0.05


async def test_what_ends_within_its_limit_is_let_be() -> None:
    async with time_limit(PATIENCE_S):
        with RunningTime() as running:
            await asyncio.sleep(2 * TICK_S)
    assert 2 * TICK_S - 0.05 < running.seconds < 2 * TICK_S + LATE_S


@pytest.mark.parametrize("limit_s", [0.2, 1.0])
async def test_an_answer_that_came_while_the_loop_was_held_up_is_read(limit_s: float) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        async with time_limit(limit_s):
            with RunningTime() as running:
                answer = asyncio.ensure_future(asyncio.get_running_loop().sock_recv(ours, 10))
                await asyncio.sleep(0)
                theirs.send(b"here")
                time.sleep(HELD_UP_S)  # noqa: ASYNC251 - this is what holds the loop up
                assert await answer == b"here"
                assert running.seconds < TICK_S + LATE_S + 0.1


async def test_after_a_stop_the_limit_still_ends_a_wait_in_vain() -> None:
    async def held_up() -> None:
        time.sleep(HELD_UP_S)  # noqa: ASYNC251 - as above

    with pytest.raises(TimeoutError):
        async with time_limit(0.3):
            await held_up()
            await asyncio.Event().wait()


async def test_a_cancelled_wait_is_no_time_out() -> None:
    async def wait() -> None:
        async with time_limit(PATIENCE_S):
            await asyncio.Event().wait()

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
