"""How the supervisor starts a child: as a fork of the zygote, or as a program."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from stack.parent import die_with_parent
from stack.parts import Part, as_user
from stack.zygote import REQUEST_BYTES, Request

ROOT = Path(__file__).resolve().parent.parent
FORK_TIMEOUT_S = 60.0
"""How long a fork may take, the loading of the libraries before the first one included."""
END_TIMEOUT_S = 5.0
LINE_LIMIT = 256 * 1024
_READ_AT_THE_START = ("LD_", "PYTHON")
"""Variables that a program reads only when it starts, which a fork does not do."""


class Child(Protocol):
    """A process that was started."""

    @property
    def pid(self) -> int: ...

    async def wait(self) -> int:
        """The exit status; a negative one is the signal that killed the process."""

    def send_signal(self, number: int, /) -> None: ...


class ForkError(Exception):
    """The zygote does not answer."""


@contextlib.asynccontextmanager
async def lines_of_child() -> AsyncIterator[tuple[asyncio.StreamReader, int]]:
    """A reader of lines, and the file to give a child as its output; the caller closes the file."""
    read, write = os.pipe()
    lines, transport = await _reader(read)
    try:
        yield lines, write
    finally:
        transport.close()


async def _reader(file: int) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    lines = asyncio.StreamReader(limit=LINE_LIMIT)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), os.fdopen(file, "rb", buffering=0)
    )
    return lines, transport


def is_forked(part: Part) -> bool:
    """Whether the part runs on this Python, and as the zygote does.

    Forks are for Linux: macOS's own libraries do not bear them.
    """
    runs_python = sys.platform == "linux" and part.command[0] == sys.executable and part.user is None
    return runs_python and not any(name.startswith(_READ_AT_THE_START) for name in part.env)


async def executed(part: Part, output: int) -> Process:
    """Start the part's program. `output` is its standard output and error."""
    return await asyncio.create_subprocess_exec(
        *part.command,
        stdin=DEVNULL,
        stdout=output,
        stderr=output,
        env={**os.environ, **part.env},
        cwd=part.cwd,
        # A session of its own, so that a signal to the group reaches it in order, through the supervisor.
        start_new_session=True,
        preexec_fn=die_with_parent,
        **as_user(part.user),
    )


class Forked:
    """A fork of the zygote, which tells of its end through `told`."""

    def __init__(self, pid: int, told: asyncio.StreamReader) -> None:
        self.pid = pid
        self._ended = asyncio.create_task(self._end(told))

    async def _end(self, told: asyncio.StreamReader) -> int:
        # A zygote that is killed tells nothing, and its forks are killed with it.
        return int(await told.readline() or -signal.SIGKILL)

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    def send_signal(self, number: int, /) -> None:
        if not self._ended.done():
            os.kill(self.pid, number)


class Zygote:
    """The supervisor's end of the zygote. The zygote starts at the first fork, and again if it has died."""

    def __init__(self) -> None:
        self._process: Process | None = None
        self._control: socket.socket | None = None
        self._one_at_a_time = asyncio.Lock()

    async def fork(self, part: Part, output: int) -> Forked:
        """Start the part as a fork. `output` is its standard output and error. Raises ForkError."""
        env = {**os.environ, **part.env}
        request = json.dumps(Request(part.name, list(part.command[1:]), env, str(part.cwd or Path.cwd())))
        if len(request) > REQUEST_BYTES:
            raise ForkError(f"its environment has more than {REQUEST_BYTES} bytes")
        async with self._one_at_a_time:
            try:
                return await self._asked(request.encode(), output)
            except (OSError, ValueError) as error:
                if self._process is not None:
                    _kill(self._process)
                raise ForkError(f"the zygote does not fork: {error!r}") from None

    async def _asked(self, request: bytes, output: int) -> Forked:
        control = await self._running()
        read, write = os.pipe()
        told, transport = await _reader(read)
        try:
            # The zygote has answered what it was sent before, so there is room for this.
            try:
                socket.send_fds(control, [request], [output, write])
            finally:
                os.close(write)
            async with asyncio.timeout(FORK_TIMEOUT_S):
                return Forked(int(await told.readline()), told)
        except BaseException:
            transport.close()
            raise

    async def _running(self) -> socket.socket:
        if self._control is None or self._process is None or self._process.returncode is not None:
            await self.end()
            self._control, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._control.setblocking(False)
            with other:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "stack.zygote", str(other.fileno())),
                    stdin=DEVNULL,
                    stdout=DEVNULL,
                    cwd=ROOT,
                    start_new_session=True,
                    preexec_fn=die_with_parent,
                    pass_fds=(other.fileno(),),
                )
        return self._control

    async def end(self) -> None:
        """End the zygote. A fork that still runs is killed."""
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            try:
                async with asyncio.timeout(END_TIMEOUT_S):
                    await self._process.wait()
            except TimeoutError:
                _kill(self._process)
                await self._process.wait()
        self._control = self._process = None


def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
