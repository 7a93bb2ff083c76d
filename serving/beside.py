"""What a process does beside its calls, and how that is ended."""

import asyncio
from collections.abc import AsyncIterator, Collection, Coroutine
from contextlib import asynccontextmanager
from typing import Any

AGAIN_S = 0.1
TIDIES_UP_S = 1.0
"""How long a job that was cancelled may tidy up before it is cancelled again."""


@asynccontextmanager
async def beside(*jobs: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """The jobs run while the context is open. At its end they are cancelled, and have ended."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        yield
    finally:
        await end(tasks, TIDIES_UP_S)


async def end(tasks: Collection[asyncio.Task[Any]], again_s: float = AGAIN_S) -> None:
    """Cancel the tasks, and cancel again every `again_s` seconds what goes on. Returns when all have ended.

    redis-py and nats-py wait with asyncio.wait_for, which under Python 3.11 can lose a cancellation.
    """
    while going_on := [task for task in tasks if not task.done()]:
        for task in going_on:
            task.cancel()
        await asyncio.wait(going_on, timeout=again_s)
