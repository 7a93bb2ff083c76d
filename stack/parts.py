"""A part of the system: a child process, what it needs, and how one sees that it answers."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

Check = Callable[[], Awaitable[bool]]

CHECK_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class Part:
    """One child process: started after what it `needs`, stopped before what it needs or `uses`.

    A part with `once` runs to its end and has then done its work.
    """

    name: str
    command: Sequence[str]
    ready: Check
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    port_variable: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    user: str | None = None
    cwd: Path | None = None
    once: bool = False


async def always() -> bool:
    """For a part that counts as ready once it runs, or once it has ended well."""
    return True


def listening(port: int) -> Check:
    """Something accepts connections on the port."""

    async def check() -> bool:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    return check


def answering(url: str) -> Check:
    """A GET of the URL answers 200."""

    async def check() -> bool:
        timeout = aiohttp.ClientTimeout(total=CHECK_TIMEOUT_S)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    return check
