"""The trips that trials and tests book, made from the catalogue of partners."""

import random
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

from partners.catalogue import PARTNERS as CATALOGUE
from partners.catalogue import STAYS as STAY_CATALOGUE
from trip.examples import example_order

Json = dict[str, Any]

STAYS = tuple(stay.name for stay in STAY_CATALOGUE)
PARTNERS = tuple(partner.name for partner in CATALOGUE)
MEMBER = "BENCH-MEMBER"
"""Has ten million points."""


def today() -> date:
    return datetime.now(UTC).date()


def some_day() -> date:
    """A random day, so that trips seldom share one."""
    return today() + timedelta(days=random.randint(30, 1000))


def order(day: date | None = None, **changes: Any) -> Json:
    """The example trip on `day`, changed; a step given as None is left out. Its points do not run out."""
    body = example_order(day or some_day())
    body["traveller"]["member_id"] = MEMBER
    return {name: part for name, part in (body | changes).items() if part is not None}


def bench_order(day: date | None = None, *, card_token: str = "tok_visa", **changes: Any) -> Json:  # noqa: S107
    """A trip of every partner, on stock that does not run out."""
    day = day or some_day()
    plenty = {stay.name: stay.plenty(day).model_dump(mode="json") for stay in STAY_CATALOGUE}
    payment = {"card_token": card_token, "currency": "JPY"}
    return order(day, **{**plenty, "points": {"redeem": 50}, "payment": payment, **changes})


def own_order(**changes: Any) -> Json:
    """A trip of a traveller whom nobody else books for."""
    body = bench_order(**changes)
    body["traveller"]["email"] = f"{uuid.uuid4()}@example.com"
    return body


def small_order(stay: str, **changes: Any) -> Json:
    others: Json = dict.fromkeys(name for name in (*STAYS, "points") if name != stay)
    return bench_order(**{**others, **changes})


def hold(order: Json, partner: str, due: int) -> Json:
    """The body of a hold; `due` is the price of the steps before it, less the points, in minor units."""
    if partner == "points":
        return {"member_id": order["traveller"]["member_id"], "redeem": min(order["points"]["redeem"], due)}
    if partner == "payment":
        return {**order["payment"], "amount_minor": due}
    return dict(order[partner])
