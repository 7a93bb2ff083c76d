"""Shares of what is bounded: one tenant never takes more than half of what the others have left."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.shares import Shares, may_take

TENANTS = ("a", "b", "c", "d")
mosts = st.integers(0, 200)
asked = st.lists(st.tuples(st.sampled_from(TENANTS), st.integers(1, 20), st.booleans()), max_size=200)


@given(most=mosts, asks=asked)
def test_no_tenant_ever_has_more_than_was_left(most: int, asks: list[tuple[str, int, bool]]) -> None:
    shares, own = Shares(most), Counter[str]()
    for tenant, amount, gives_back in asks:
        if gives_back:
            shares.give_back(tenant, amount)
            own[tenant] = max(0, own[tenant] - amount)
        elif shares.may_take(tenant, amount):
            left = most - own.total()
            shares.take(tenant, amount)
            own[tenant] += amount
            assert own[tenant] <= left
        assert shares.taken == own.total() <= most


@given(most=st.integers(1, 10_000))
def test_who_is_alone_gets_half_and_who_comes_next_half_of_the_rest(most: int) -> None:
    shares, left = Shares(most), most
    for tenant in TENANTS:
        own = 0
        while shares.may_take(tenant):
            shares.take(tenant)
            own += 1
        assert own == (left + 1) // 2
        left -= own


@given(most=st.integers(1, 200), asks=asked)
def test_a_newcomer_gets_something_unless_nothing_is_left(
    most: int, asks: list[tuple[str, int, bool]]
) -> None:
    shares = Shares(most)
    for tenant, amount, gives_back in asks:
        if gives_back:
            shares.give_back(tenant, amount)
        elif shares.may_take(tenant, amount):
            shares.take(tenant, amount)
        assert shares.may_take("newcomer") is (shares.taken < most)


def test_what_is_held_is_given_back_whatever_happens() -> None:
    shares = Shares(10)
    with pytest.raises(OSError), shares.held("a", 5):
        assert (shares.taken, shares.may_take("a")) == (5, False)
        Path("/nowhere").read_text()
    assert (shares.taken, shares.may_take("a", 10)) == (0, True)
    assert not may_take(own=0, taken=10, most=10)


def test_a_new_count_takes_the_place_of_the_old() -> None:
    shares = Shares(10)
    shares.take("a", 5)
    shares.replace({"b": 4})
    assert (shares.taken, shares.may_take("a", 6), shares.may_take("b", 3)) == (4, True, False)
