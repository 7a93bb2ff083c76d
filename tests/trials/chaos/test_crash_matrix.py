"""The quick form of the crash matrix: every process at every moment, at one step each."""

import pytest

from trials.chaos.client import Client
from trials.chaos.matrix import Cell, quick_groups, run_group
from trials.chaos.verdict import audited


@pytest.mark.parametrize("cells", quick_groups(), ids=lambda cells: cells[0].process.value)
async def test_a_process_that_dies_at_any_moment_leaves_the_trip_whole_or_undone(
    client: Client, cells: list[Cell]
) -> None:
    outcomes = await run_group(client, cells, workers=1)
    assert [outcome for outcome in outcomes if outcome.wrong] == []


async def test_the_stores_agree_after_all_of_them(client: Client) -> None:
    assert await audited(client) == []
