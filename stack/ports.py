"""Ports of loopback: free ones, which no other system on this machine takes, and who holds a taken one."""

import contextlib
import errno
import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

import psutil

from stack.place import own_directory

# Below the range from which the kernel takes the ports of outgoing connections.
_CHOICE = range(15_000, 32_000)
_TRIES = 1000
LOOPBACK = "127.0.0.1"

_claims: list[int] = []


class PortTakenError(Exception):
    """Another process listens on a port that is needed."""


def free_port() -> int:
    """A port that nothing listens on. While this process lives, no other of this user gets it from here."""
    for _ in range(_TRIES):
        port = random.choice(_CHOICE)
        if _claim(port) and not is_taken(port):
            return port
    raise PortTakenError(f"no free port found in {_CHOICE.start} to {_CHOICE.stop}")


def _claim(port: int) -> bool:
    directory = Path(tempfile.gettempdir()) / f"trips-ports-{os.geteuid()}"
    own_directory(directory)
    claim = os.open(directory / str(port), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(claim)
        return False
    _claims.append(claim)  # held until this process ends
    return True


def is_taken(port: int, host: str = LOOPBACK) -> bool:
    """Whether another process listens on the port of this host."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno in (errno.EADDRINUSE, errno.EACCES)
    return False


def holder(port: int) -> str:
    """Who listens on the port, if this user may know."""
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            listened = getattr(connection.laddr, "port", None)
            if connection.status == psutil.CONN_LISTEN and listened == port and connection.pid:
                process = psutil.Process(connection.pid)
                return f"{process.name()} (process {connection.pid})"
    return "another process"
