"""Cancels spread over a slow trip. `python -m chaos --cancels` tries more moments, each in every way."""

import pytest

from chaos.cancels import mixed, run, violations
from chaos.client import Client
from chaos.matrix import audited

MOMENTS = 15


@pytest.mark.parametrize("kill_workers", [0, 1], ids=["", "and the worker is killed"])
async def test_a_trip_that_is_cancelled_at_any_moment_ends_cancelled_or_whole(
    client: Client, kill_workers: int
) -> None:
    outcomes = await run(client, mixed(MOMENTS), kill_workers)
    assert violations(outcomes) == []
    assert await audited(client) == []
