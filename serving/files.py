"""How many files a process may have open."""

import contextlib
import resource

MOST_FILES = 1_048_576
"""If the system sets no limit."""


def raise_file_limit() -> int:
    """Let the process open as many files as it may have at most; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else hard
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return soft
