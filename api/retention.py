"""Drops what the record keeps no longer. One front door at a time does it."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from datetime import timedelta

from api.coordination import CoordinatorAway
from record import unfinished
from record.erasure import Forget
from record.pool import Pool, RecordAway
from record.retention import Keep, sweep
from serving.beside import beside

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=1)
LONGEST_S = 40.0
"""A turn ends before the next one begins at another front door."""

PAUSE_S = 0.05
"""Others come in between two batches. So a turn drops some ten thousand rows a second at most."""


@contextlib.asynccontextmanager
async def sweeping(pool: Pool, keep: Keep, forget: Forget) -> AsyncIterator[None]:
    """While the context is open, drop what is older than it is kept."""
    if not any(keep):
        yield
        return
    async with beside(_keep_sweeping(pool, keep, forget)):
        yield


async def _keep_sweeping(pool: Pool, keep: Keep, forget: Forget) -> None:
    while True:
        try:
            await _turn(pool, keep, forget)
        except Exception as error:
            unexpected = not isinstance(error, RecordAway | CoordinatorAway)
            log.warning("what is too old is dropped later: %s", error, exc_info=unexpected)
        await asyncio.sleep(EVERY.total_seconds())


async def _turn(pool: Pool, keep: Keep, forget: Forget) -> None:
    if await unfinished.lease(pool, "retention", EVERY):
        ends = time.monotonic() + LONGEST_S
        while await sweep(pool, keep, forget) and time.monotonic() < ends:  # noqa: ASYNC110 - it waits for nothing
            await asyncio.sleep(PAUSE_S)
