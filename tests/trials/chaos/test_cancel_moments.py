"""Cancels spread over a slow trip. `python -m trials.chaos --cancels` tries more moments, in every way."""

import pytest

from trials.chaos.cancels import mixed, run, violations
from trials.chaos.client import Client
from trials.chaos.verdict import audited

MOMENTS = 15


@pytest.mark.parametrize("kill_workers", [0, 1], ids=["", "and the worker is killed"])
async def test_a_trip_that_is_cancelled_at_any_moment_ends_cancelled_or_whole(
    client: Client, kill_workers: int
) -> None:
    outcomes = await run(client, mixed(MOMENTS), kill_workers)
    assert violations(outcomes) == []
    assert await audited(client) == []
