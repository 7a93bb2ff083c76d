"""The trip that every contestant books, and the body of each call to a partner."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from trip.examples import example_order

Json = dict[str, Any]

STAYS = ("hotel", "tour", "flight")
PARTNERS = (*STAYS, "points", "payment")
_STOCK = (
    ("hotel", "hotel_id", "BENCH-HOTEL"),
    ("tour", "tour_id", "BENCH-TOUR"),
    ("flight", "flight_no", "BENCH-FLIGHT"),
)
_DAYS_AHEAD = (30, 1000)


def bench_order(card_token: str = "tok_visa") -> Json:  # noqa: S107 - the sample data's card
    """A trip of all five parts on stock that never runs out, on a random day, as `POST /trips` takes it."""
    order = example_order(datetime.now(UTC).date() + timedelta(days=random.randint(*_DAYS_AHEAD)))
    for part, field, name in _STOCK:
        order[part][field] = name
    order["traveller"]["member_id"] = "BENCH-MEMBER"
    order["points"]["redeem"] = 50
    order["payment"]["card_token"] = card_token
    return order


def body(order: Json, partner: str, due: int) -> Json:
    """What `partner` is sent for its hold; `due` is the price less what is paid already, in minor units."""
    if partner == "points":
        redeem = min(order["points"]["redeem"], due)
        return {"member_id": order["traveller"]["member_id"], "redeem": redeem}
    if partner == "payment":
        return {**order["payment"], "amount_minor": due}
    return dict(order[partner])
