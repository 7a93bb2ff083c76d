"""Cancels spread over a slow trip. `python -m trials.chaos --cancels` tries more moments, in every way."""

import pytest

from trials.chaos.cancels import mixed, run, violations
from trials.chaos.client import Client
from trials.chaos.verdict import audited

MOMENTS = 12


@pytest.mark.parametrize("kill", [False, True], ids=["", "and who carries trips is killed"])
async def test_a_trip_that_is_cancelled_at_any_moment_ends_cancelled_or_whole(
    client: Client, kill: bool
) -> None:
    # Side by side, since nearly all of the time is spent waiting.
    planned = [*mixed("orchestration", MOMENTS), *mixed("choreography", MOMENTS)]
    outcomes = await run(client, planned, kill)
    assert violations(outcomes) == []
    assert await audited(client) == []
