"""Debian's libfaketime, which tells a process a false time of day."""

from pathlib import Path

REMEDY = "apt-get install faketime"
_FOUND = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
LIBRARY = _FOUND[0] if _FOUND else None


def is_left_out() -> bool:
    """Whether there is no such library."""
    return LIBRARY is None
