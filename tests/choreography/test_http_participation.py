"""What a store does for a choreographed saga, done by the adapter of a partner that speaks HTTP alone.

How a hold expires is the adapter's own, and so is what HTTP shows.
"""

from typing import Any

import aiohttp
import pytest

from choreography.http_partner import HttpPartner
from tests.conftest import RunningSystem
from tests.partners.cases import CASES, Case
from tests.partners.client import Client, new_key
from tests.partners.rows import asked
from tests.partners.test_participation import (
    test_a_hold_that_the_partner_refuses_leaves_nothing,
    test_a_refusal_closes_a_key_never_seen,
    test_a_refusal_leaves_a_known_key_as_it_is,
    test_a_released_row_gets_its_first_note,
    test_a_repeated_call_changes_nothing,
    test_a_row_takes_part_from_its_first_note_on,
    test_calls_without_a_note_stay_silent,
    test_each_change_of_a_noted_row_is_untold,
    test_only_the_told_state_is_marked,
)
from tests.partners.test_participation_races import (
    test_a_hold_and_a_refusal_at_once_have_one_outcome,
    test_a_release_among_them_ends_all,
    test_the_last_arrival_sees_all,
)
from trip.partner import Partner

__all__ = [
    "test_a_hold_and_a_refusal_at_once_have_one_outcome",
    "test_a_hold_that_the_partner_refuses_leaves_nothing",
    "test_a_refusal_closes_a_key_never_seen",
    "test_a_refusal_leaves_a_known_key_as_it_is",
    "test_a_release_among_them_ends_all",
    "test_a_released_row_gets_its_first_note",
    "test_a_repeated_call_changes_nothing",
    "test_a_row_takes_part_from_its_first_note_on",
    "test_calls_without_a_note_stay_silent",
    "test_each_change_of_a_noted_row_is_untold",
    "test_only_the_told_state_is_marked",
    "test_the_last_arrival_sees_all",
]


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture
def client(case: Case, system: RunningSystem, http: aiohttp.ClientSession) -> Client:
    return Client(http, system.partners[case.name])


@pytest.fixture
def store(case: Case, adapters: dict[Partner, HttpPartner]) -> HttpPartner:
    """The adapter, in the place of the partner's store."""
    return adapters[Partner(case.name)]


@pytest.fixture
def key() -> str:
    return new_key()


@pytest.fixture
def body(case: Case) -> Any:
    return asked(case, case.good())
