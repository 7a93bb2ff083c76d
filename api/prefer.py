"""The `wait` preference of the `Prefer` header (RFC 7240)."""

import re

MAX_WAIT_S = 60

_WAIT = re.compile(r"^\s*wait\s*=\s*\"?(\d{1,9})\"?\s*(;.*)?$", re.IGNORECASE)


def wait_seconds(prefer: str | None) -> int:
    """How long the caller will wait for the trip to settle: 0 to 60 s; 0 without the preference."""
    for preference in (prefer or "").split(","):
        if found := _WAIT.match(preference):
            return min(int(found.group(1)), MAX_WAIT_S)
    return 0
