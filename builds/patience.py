"""Calls to a server that is busy or away for a moment: they are made again, within a bound."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio.service import RPCError, RPCStatusCode

T = TypeVar("T")

PATIENCE_S = 60.0
PAUSE_S = 1.0

_PASSING = frozenset(
    {
        RPCStatusCode.ABORTED,
        RPCStatusCode.CANCELLED,  # so the SDK tells a time-out of its own
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.UNAVAILABLE,
    }
)


async def patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Do the work, which has to be safe to repeat. Raises what it raises last, after about a minute."""
    clock = asyncio.get_running_loop().time
    end = clock() + PATIENCE_S
    while True:
        try:
            return await work()
        except RPCError as error:
            if error.status not in _PASSING or clock() >= end:
                raise
        await asyncio.sleep(PAUSE_S)
