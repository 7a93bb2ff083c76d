"""Orders of both kinds: what a trip promises is the same whoever coordinates it.

A test that takes one of these runs once for each kind. Where a test shows what one kind does alone, it
imports the function of the same name.
"""

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import get_args

import pytest

from tests.system.test_supervision import eventually
from trials import orders
from trials.orders import Json
from trials.traveller import Traveller
from trip.order import Coordination

Orders = Callable[..., Json]


@pytest.fixture(scope="module", params=get_args(Coordination), ids=["orchestrated", "choreographed"])
def coordination(request: pytest.FixtureRequest) -> Coordination:
    """Who coordinates the trips of a test."""
    kind: Coordination = request.param
    return kind


@pytest.fixture(scope="module")
def order(coordination: Coordination) -> Orders:
    return partial(orders.order, coordination=coordination)


@pytest.fixture(scope="module")
def own_order(coordination: Coordination) -> Orders:
    return partial(orders.own_order, coordination=coordination)


@pytest.fixture(scope="module")
def small_order(coordination: Coordination) -> Orders:
    return partial(orders.small_order, coordination=coordination)


@pytest.fixture
async def kept_out(traveller: Traveller, small_order: Orders) -> AsyncIterator[str]:
    """A partner whose breaker is open, as whoever carries trips has learnt."""
    partner = "tour"
    await traveller.override_breaker(partner, "open")

    async def is_known() -> bool:
        trip = await traveller.book(small_order(partner), wait=1)
        return bool(trip["status"] == "failed")

    try:
        await eventually(is_known)
        yield partner
    finally:
        await traveller.override_breaker(partner, None)
