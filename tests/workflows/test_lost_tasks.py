"""Every point at which a workflow task can be lost, with every message that can come meanwhile."""

import pytest

from tests.workflows.mishaps import WAYS, found, losses


@pytest.mark.parametrize(("name", "away"), WAYS)
def test_a_lost_task_leaves_no_trip_half_booked(name: str, away: int) -> None:
    assert list(found(name, away, losses)) == []
