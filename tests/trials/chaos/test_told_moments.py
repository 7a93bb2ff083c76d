"""The quick form of the choreographed crash matrix: each kind of process at some of the moments."""

from collections.abc import Sequence

import pytest

from trials.chaos.client import Client
from trials.chaos.told import Moment, quick_groups, run_group, run_loaded
from trials.chaos.verdict import audited
from trip.partner import Partner

GROUPS = quick_groups()


@pytest.mark.parametrize(("processes", "moments"), GROUPS, ids=[names[0] for names, _ in GROUPS])
async def test_a_process_that_dies_at_any_moment_leaves_the_trip_whole_or_undone(
    client: Client, processes: Sequence[str], moments: Sequence[Moment]
) -> None:
    outcomes = await run_group(client, processes, moments)
    assert [outcome for outcome in outcomes if outcome.wrong] == []


async def test_all_partners_die_under_load(client: Client) -> None:
    outcomes = await run_loaded(client, list(Partner))
    assert [outcome for outcome in outcomes if outcome.wrong] == []


async def test_the_stores_agree_after_all_of_them(client: Client) -> None:
    assert await audited(client) == []
