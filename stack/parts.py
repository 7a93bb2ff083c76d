"""A part of the system: a child process, what it needs, and the check that it is ready."""

import asyncio
import pwd
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from stack.ports import LOOPBACK

Check = Callable[[], Awaitable[bool]]

CHECK_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class Part:
    """One child process. It starts after the parts it `needs`, and stops before those it needs or `uses`.

    A part with `once` is ready when it has ended well.
    """

    name: str
    command: Sequence[str]
    ready: Check
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    host: str = LOOPBACK
    port_variable: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    user: str | None = None
    cwd: Path | None = None
    once: bool = False


def as_user(user: str | None) -> dict[str, Any]:
    """The arguments by which a child process is the user's, with none of this process's groups."""
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


async def always() -> bool:
    """For a part that is ready as soon as it runs."""
    return True


def listening(port: int) -> Check:
    """Whether something accepts connections on the port."""

    async def check() -> bool:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                _, writer = await asyncio.open_connection(LOOPBACK, port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    return check


def answering(url: str) -> Check:
    """Whether a GET of the URL answers 200."""

    async def check() -> bool:
        timeout = aiohttp.ClientTimeout(total=CHECK_TIMEOUT_S)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    return check
