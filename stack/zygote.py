"""The zygote: a process that loads the libraries once. Each process of the project is a fork of it.

To load them takes most of the CPU of a start, and each process would load much the same ones. No module of
the project is loaded here, so a process that starts again runs today's code.
"""

import gc
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from stack.parent import die_with_parent, show_as

LIBRARIES = (
    "aiohttp",
    "asyncpg",
    "cryptography.hazmat.primitives.ciphers.aead",
    "fastapi",
    "httptools",
    "jwt",
    "nats.js",
    "opentelemetry.trace",
    "prometheus_client",
    "pydantic_settings",
    "pythonjsonlogger.json",
    "redis.asyncio",
    "temporalio.client",
    "temporalio.contrib.pydantic",
    "temporalio.worker",
    "uvicorn",
    "uvloop",
)
"""None of them starts a thread when it is loaded; a fork has none of its parent's threads."""

REQUEST_BYTES = 128 * 1024


class Request(NamedTuple):
    """A process to start: its name, the arguments of its Python, its environment, its directory."""

    name: str
    arguments: list[str]
    env: dict[str, str]
    cwd: str


class Forks:
    """The processes forked so far. Of each, the open file that its id and its end are told to."""

    def __init__(self) -> None:
        self._told: dict[int, int] = {}

    def fork(self, output: int, told: int) -> bool:
        """Fork, with `output` as the fork's standard output and error. Returns true in the fork."""
        try:
            pid = os.fork()
        except OSError as error:
            print(f"the zygote cannot fork: {error}", file=sys.stderr)
            os.close(output)
            os.close(told)
            return False
        if pid == 0:
            os.setsid()
            for standard in (sys.stdout.fileno(), sys.stderr.fileno()):
                os.dup2(output, standard)
            for file in (output, told, *self._told.values()):
                os.close(file)
            return True
        os.close(output)
        self._told[pid] = told
        _tell(told, pid)
        return False

    def reap(self) -> None:
        """Tell of each process that has ended how it ended."""
        while self._told:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            told = self._told.pop(pid)
            _tell(told, os.waitstatus_to_exitcode(status))
            os.close(told)


def _tell(told: int, number: int) -> None:
    try:
        os.write(told, f"{number}\n".encode())
    except BrokenPipeError:
        return  # nobody asks any more


def _serve(control: socket.socket) -> Request | None:
    """Fork for each request. Returns None when the other end is closed. Each fork returns its request."""
    forks = Forks()
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno())
    with woken, waker, selectors.DefaultSelector() as selector:
        for source in (control, woken):
            selector.register(source, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if woken in ready:
                woken.recv(4096)
                forks.reap()
            if control in ready:
                asked, files, _, _ = socket.recv_fds(control, REQUEST_BYTES, 2)
                if not asked:
                    return None
                if forks.fork(*files):
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    return Request(*json.loads(asked))


def _become(request: Request) -> None:
    """Run the request's module or script as Python does when it is started with these arguments."""
    die_with_parent()
    show_as(request.name)
    os.environ.clear()
    os.environ.update(request.env)
    os.chdir(request.cwd)
    first, *others = request.arguments
    if first == "-m":
        sys.argv = others
        sys.path[0] = request.cwd
        runpy.run_module(others[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = request.arguments
        sys.path[0] = str(Path(first).absolute().parent)
        runpy.run_path(first, run_name="__main__")


def main() -> None:
    """Serve the supervisor, at the other end of the socket whose number is the argument."""
    for library in LIBRARIES:
        import_module(library)
    # A fork's own collections pass over what it shares; else each would copy all of it.
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as control:
        request = _serve(control)
    if request:
        _become(request)


if __name__ == "__main__":
    main()
