"""The ids of trips."""

import os
import time
from uuid import UUID


def new_trip_id() -> str:
    """A UUID of version 7 (RFC 9562): the time in milliseconds, then 74 random bits.

    Ids made one after another are neighbours in every index, here and at the partners, and no page of an old
    trip's ids is written again. Python 3.14 has uuid.uuid7.
    """
    milliseconds = time.time_ns() // 1_000_000
    number = milliseconds << 80 | int.from_bytes(os.urandom(10))
    number = number & ~(0xF << 76) | 7 << 76
    number = number & ~(0x3 << 62) | 2 << 62
    return str(UUID(int=number))
