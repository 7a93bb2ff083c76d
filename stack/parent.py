"""What a child process asks of the kernel (on Linux; elsewhere nothing)."""

import ctypes
import signal
import sys

_SET_PDEATHSIG = 1
_SET_NAME = 15
_PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def die_with_parent() -> None:
    """Have this process killed when its parent dies. A killed part loses no data."""
    if _PRCTL is not None:
        _PRCTL(_SET_PDEATHSIG, signal.SIGKILL)


def show_as(name: str) -> None:
    """Have `ps -e` and `top` show this process by its name. They show 15 characters of it."""
    if _PRCTL is not None:
        _PRCTL(_SET_NAME, name.encode())
