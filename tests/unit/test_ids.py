"""Ids of trips: UUIDs of version 7, in the order of time."""

import time
from uuid import RFC_4122, UUID

from trip.ids import new_trip_id


def test_an_id_is_a_uuid_of_version_7_with_its_time() -> None:
    before = time.time_ns() // 1_000_000
    made = UUID(new_trip_id())
    assert (made.version, made.variant) == (7, RFC_4122)
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000


def test_later_ids_sort_after_earlier_ones() -> None:
    first = new_trip_id()
    now = time.time_ns() // 1_000_000
    while time.time_ns() // 1_000_000 == now:
        pass
    assert first < new_trip_id()


def test_ids_of_one_moment_differ() -> None:
    assert len({new_trip_id() for _ in range(1000)}) == 1000
