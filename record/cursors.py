"""Cursors of lists in the order of time: `MICROSECONDS.ID`, with the time since 1970.

Every text that matches a list's pattern is a cursor of that list, so the OpenAPI document names the pattern.
"""

import re
from datetime import UTC, datetime, timedelta

from serving.paging import CursorError

OF_TRIPS = r"^[0-9]{1,16}\.[A-Za-z0-9-]{1,200}$"
OF_NUMBERED = r"^[0-9]{1,16}\.[0-9]{1,18}$"

_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)


def written(at: datetime, entry_id: object) -> tuple[str, str]:
    """The parts of an entry's cursor."""
    return str((at - _EPOCH) // _MICROSECOND), str(entry_id)


def read(cursor: str, pattern: str) -> tuple[datetime, str]:
    """The time and the id in a cursor. Raises CursorError."""
    if not re.match(pattern, cursor):
        raise CursorError
    microseconds, _, entry_id = cursor.partition(".")
    return _EPOCH + int(microseconds) * _MICROSECOND, entry_id
