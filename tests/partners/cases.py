"""What differs between the five partners, so that one set of tests can run against them all."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from tests.partners.client import Client

Body = dict[str, Any]


def far_day() -> date:
    """A day on which no other test books anything."""
    return date(2100, 1, 1) + timedelta(days=random.randrange(300_000))


@dataclass(frozen=True)
class Case:
    """A partner's bodies. `good` asks for little of much, `last` for all that is left of something scarce."""

    name: str
    good: Callable[[], Body]
    other: Callable[[Body], Body]
    refused: Callable[[], tuple[Body, str]]
    stock: Callable[[Client, Body], Any]
    amount: int
    last: Callable[[], Body] | None = None
    last_code: str = "sold_out"
    counts: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    strings: tuple[str, ...] = ()


def _stay(hotel_id: str, nights: int) -> Body:
    day = far_day()
    return {
        "hotel_id": hotel_id,
        "check_in": day.isoformat(),
        "check_out": (day + timedelta(days=nights)).isoformat(),
        "rooms": 1,
    }


def _seats(field: str, name: str, seats: int) -> Body:
    return {field: name, "date": far_day().isoformat(), "seats": seats}


def _redeem(member_id: str, redeem: int) -> Body:
    return {"member_id": member_id, "redeem": redeem}


def _pay(card_token: str, amount_minor: int) -> Body:
    return {"card_token": card_token, "amount_minor": amount_minor, "currency": "JPY"}


async def _inventory(client: Client, body: Body) -> tuple[int, int]:
    """Held and confirmed on the days of `body`; every row ever touched adds up."""
    first = body.get("check_in") or body["date"]
    end = body.get("check_out") or (date.fromisoformat(first) + timedelta(days=1)).isoformat()
    name = next(body[field] for field in ("hotel_id", "tour_id", "flight_no") if field in body)
    rows = await client.every("/inventory")
    assert all(row["total"] == row["free"] + row["held"] + row["confirmed"] for row in rows)
    mine = [row for row in rows if row["id"] == name and first <= row["date"] < end]
    return sum(row["held"] for row in mine), sum(row["confirmed"] for row in mine)


async def _member(client: Client, body: Body) -> Any:
    status, member = await client.call("GET", f"/members/{body['member_id']}")
    assert status == 200
    return member["balance"], member["held"]


async def _ledger(client: Client, body: Body) -> Any:
    status, ledger = await client.call("GET", "/ledger")
    assert status == 200
    balances = {
        row["account"]: row["balance_minor"] for row in ledger["accounts"] if row["currency"] == "JPY"
    }
    assert sum(balances.values()) == 0
    return balances


def _with(**changes: Any) -> Callable[[Body], Body]:
    return lambda body: {**body, **changes}


CASES = [
    Case(
        name="hotel",
        good=lambda: _stay("TYO-GRAND", 2),
        other=_with(rooms=2),
        refused=lambda: (_stay("NO-SUCH-HOTEL", 2), "not_found"),
        stock=_inventory,
        amount=48_000,
        last=lambda: _stay("OSA-POD", 1),
        counts=("rooms",),
        dates=("check_in", "check_out"),
        strings=("hotel_id",),
    ),
    Case(
        name="tour",
        good=lambda: _seats("tour_id", "KYOTO-WALK", 2),
        other=_with(seats=3),
        refused=lambda: (_seats("tour_id", "NO-SUCH-TOUR", 2), "not_found"),
        stock=_inventory,
        amount=10_000,
        last=lambda: _seats("tour_id", "FUJI-HIKE", 20),
        counts=("seats",),
        dates=("date",),
        strings=("tour_id",),
    ),
    Case(
        name="flight",
        good=lambda: _seats("flight_no", "NH847", 2),
        other=_with(seats=3),
        refused=lambda: (_seats("flight_no", "NO-SUCH-FLIGHT", 2), "not_found"),
        stock=_inventory,
        amount=64_000,
        counts=("seats",),
        dates=("date",),
        strings=("flight_no",),
    ),
    Case(
        name="points",
        good=lambda: _redeem("M-1001", 7),
        other=_with(redeem=8),
        refused=lambda: (_redeem("M-1002", 1_000_000), "insufficient_points"),
        stock=_member,
        amount=-7,
        last=lambda: _redeem("M-1003", 1_600),
        last_code="insufficient_points",
        counts=("redeem",),
        strings=("member_id",),
    ),
    Case(
        name="payment",
        good=lambda: _pay("tok_visa", 12_345),
        other=_with(amount_minor=12_346),
        refused=lambda: (_pay("tok_declined", 12_345), "declined"),
        stock=_ledger,
        amount=12_345,
        counts=("amount_minor",),
        strings=("card_token", "currency"),
    ),
]

SCARCE = [case for case in CASES if case.last is not None]
