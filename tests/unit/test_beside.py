"""What runs beside a process's calls ends, also if a cancellation is lost."""

import asyncio
import contextlib

from serving.beside import beside, end
from tests.patience import PATIENCE_S


async def stubborn() -> None:
    """Lose a cancellation, as asyncio.wait_for of Python 3.11 can."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(60)
    await asyncio.sleep(60)


async def test_a_task_that_loses_a_cancellation_is_ended() -> None:
    tasks = [asyncio.create_task(stubborn()), asyncio.create_task(asyncio.sleep(60))]
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE_S):
        await end(tasks, again_s=0.01)
    assert all(task.cancelled() for task in tasks)


async def test_a_job_that_loses_a_cancellation_is_ended() -> None:
    async with asyncio.timeout(PATIENCE_S), beside(stubborn()):
        await asyncio.sleep(0)
