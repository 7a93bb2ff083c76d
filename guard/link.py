"""One connection to the breakers' store. Statements take turns on it, and changes are announced on it.

If the connection breaks, the next statement opens a new one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
from pydantic import ValidationError

from guard.policy import BreakerPolicy
from guard.store import CHANNEL, Store
from record.pool import RecordAway, as_record_away, connect

SERVER_LIMIT_MS = "2000"
LIMIT_S = 5.0
"""Longer than the server takes to give up, so that its word on what was written arrives."""

Ask = Callable[[Store], Awaitable[None]]


class StoreAway(Exception):
    """The store did not answer in time, or not at all."""


class Link:
    """A connection to the store, which the server lists under `name`.

    `on_change` is called when a breaker changed or the connection broke.
    """

    def __init__(
        self, database_url: str, policy: BreakerPolicy, on_change: Callable[[], None], name: str = "breaker"
    ) -> None:
        self._database_url = database_url
        self._policy = policy
        self._on_change = on_change
        self._name = name
        self._connection: asyncpg.Connection[Any] | None = None
        self._turn = asyncio.Lock()
        self._running: set[asyncio.Task[None]] = set()

    async def call(self, ask: Ask, limit_s: float) -> None:
        """Run `ask` in its turn. Raises StoreAway, after `limit_s` seconds at the latest.

        An `ask` that has begun goes on for LIMIT_S though its caller gives up or is cancelled: it may carry
        the counts of other callers, and whether they are written is known only at its end.
        """
        try:
            async with asyncio.timeout(limit_s):
                await self._turn.acquire()
                task = asyncio.create_task(self._run(ask))
                self._running.add(task)
                task.add_done_callback(self._forget)
                await asyncio.shield(task)
        except TimeoutError as error:
            raise StoreAway(f"no answer within {limit_s:g} s") from error

    async def close(self) -> None:
        """Cancel what is running and close the connection, within two seconds."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=1)
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                with as_record_away():
                    await connection.close(timeout=1)
            except RecordAway:
                connection.terminate()

    async def _run(self, ask: Ask) -> None:
        try:
            with as_record_away():
                async with asyncio.timeout(LIMIT_S):
                    await ask(Store(await self._connected(), self._policy, LIMIT_S))
        except BaseException as error:
            # A connection that did not answer in time may never answer again.
            self._drop()
            if isinstance(error, RecordAway | ValidationError):
                raise StoreAway(str(error)) from error
            raise
        finally:
            self._turn.release()

    async def _connected(self) -> "asyncpg.Connection[Any]":
        if self._connection is None or self._connection.is_closed():
            connection = await connect(
                self._database_url, application_name=self._name, statement_timeout=SERVER_LIMIT_MS
            )
            self._connection = connection
            connection.add_termination_listener(lambda _: self._on_change())
            await connection.add_listener(CHANNEL, lambda *_: self._on_change())
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # read, so that asyncio does not warn if the caller was cancelled
