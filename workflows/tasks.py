"""Waiting on conditions and on several tasks: deterministic, whatever is cancelled and when."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow

T = TypeVar("T")


async def until(condition: Callable[[], bool], within: timedelta | None = None) -> None:
    """Wait for the condition. Raises TimeoutError, and CancelledError if the awaiting task was cancelled.

    The SDK may raise Temporal's cancel in every task that waits. Only the workflow's main task is to hear it.
    """
    while True:
        try:
            return await workflow.wait_condition(condition, timeout=within)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise


async def together(calls: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all side by side. The first exception cancels the others, and is raised when they have ended.

    If one of them was cancelled, so is the whole. asyncio.TaskGroup would cancel in the order of a set, which
    differs from replay to replay.
    """
    tasks = [asyncio.create_task(call) for call in calls]
    if not tasks:
        return
    try:
        await workflow.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        await cancelled(*tasks)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()):
            raise error
    if any(task.cancelled() for task in tasks):
        raise asyncio.CancelledError


async def cancelled(*tasks: asyncio.Task[Any]) -> None:
    """Cancel what still runs of `tasks` and wait until it has ended, whatever it ends with."""
    running = [task for task in tasks if not task.done()]
    for task in running:
        task.cancel()
    if running:
        await workflow.wait(running)
    for task in running:
        if not task.cancelled():
            task.exception()  # fetched, so that it is not reported as lost


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Await `work` to its end, however often the workflow is cancelled meanwhile."""
    task = asyncio.create_task(work)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None:
                current.uncancel()
    return task.result()
