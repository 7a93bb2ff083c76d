"""Every part of an order is held in one stage, and asked for: none is left out."""

from collections.abc import Iterator
from datetime import date
from itertools import chain, combinations
from typing import Any

import pytest

from trip.examples import example_order
from trip.order import TripOrder
from trip.partner import PAYMENT, POINTS, Partner
from trip.plan import STAGES, asked, stages, summary, whole

EXAMPLE = example_order(date(2030, 1, 1))
OPTIONAL = [partner for partner in Partner if partner is not PAYMENT]


def orders() -> Iterator[TripOrder]:
    """An order for every set of parts that can be ordered."""
    for size in range(len(OPTIONAL)):
        for left_out in combinations(OPTIONAL, size):
            if set(left_out) | {POINTS} != set(OPTIONAL):
                parts = {name: part for name, part in EXAMPLE.items() if name not in left_out}
                yield TripOrder.model_validate(parts)


@pytest.mark.parametrize("forgotten", Partner)
def test_a_partner_that_no_stage_holds_stops_the_start(forgotten: Partner) -> None:
    stages_left = [tuple(partner for partner in stage if partner is not forgotten) for stage in STAGES]
    with pytest.raises(ValueError, match=f"{forgotten} is held in 0 stages"):
        whole(stages_left)


@pytest.mark.parametrize("twice", Partner)
def test_a_partner_that_two_stages_hold_stops_the_start(twice: Partner) -> None:
    with pytest.raises(ValueError, match=f"{twice} is held in 2 stages"):
        whole([*STAGES, (twice,)])


def test_every_part_of_an_order_is_held_once_and_asked_for() -> None:
    seen = 0
    for order in orders():
        held = list(chain.from_iterable(stages(order)))
        assert held == order.partners()
        assert {partner for partner in Partner if getattr(order, partner)} == set(held)
        assert all(asked(order, partner, due=1) for partner in held)
        assert all(summary(order, partner) for partner in held)
        seen += 1
    assert seen == 2 * (2 ** len(STAGES[0]) - 1)


def test_points_and_payment_come_last_and_alone() -> None:
    assert STAGES[1:] == ((POINTS,), (PAYMENT,))


@pytest.mark.parametrize(
    ("partner", "due", "expected"),
    [
        (POINTS, 9_000, {"member_id": "M-1001", "redeem": 5_000}),
        (POINTS, 900, {"member_id": "M-1001", "redeem": 900}),
        (POINTS, 0, None),
        (PAYMENT, 900, {"card_token": "tok_visa", "amount_minor": 900, "currency": "JPY"}),
        (PAYMENT, 0, None),
    ],
)
def test_no_more_is_asked_for_than_is_due(partner: Partner, due: int, expected: Any) -> None:
    assert asked(TripOrder.model_validate(EXAMPLE), partner, due) == expected
