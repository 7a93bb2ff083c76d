"""What many callers of one stock can do to each other."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from partners.declaration import Claim
from partners.stock.service import Item, stock_service
from partners.stock.statements import taken
from partners.store import Refused, Reservation, Status
from tests.examples.car.declaration import STAY, CarRental
from tests.partners_engines.engines import opened, running_engine
from tests.patience import PATIENCE_S

WRITERS = 24
ROUNDS = 25
FIRST = date(2100, 1, 1)
BRIEF_S = 0.2


def backwards(body: CarRental) -> Iterable[Claim]:
    """The claims of a rental, in the order of the days or, for an odd number of cars, against it."""
    claims = list(body.claims())
    return claims[::-1] if body.cars % 2 else claims


SERVICE = stock_service(replace(STAY, claims=backwards), {"VAN": Item(price_minor=1, units_a_day=10_000)})


def some_rental(drawn: random.Random) -> CarRental:
    """A rental that shares days with most others."""
    start = FIRST + timedelta(days=drawn.randrange(4))
    until = start + timedelta(days=drawn.randint(2, 8))
    return CarRental(car_id="VAN", pick_up=start, return_by=until, cars=drawn.randint(1, 2))


async def rent(store: Any, brief: Any, writer: int, rented: dict[str, CarRental]) -> None:
    """Hold, and confirm, release or forget, time and again."""
    drawn = random.Random(writer)
    for n in range(ROUNDS):
        key, body = f"{writer}-{n}", some_rental(drawn)
        rented[key] = body
        await drawn.choice((store, store, brief)).hold(key, body)
        action = drawn.choice((store.confirm, store.release, None))
        if action is not None:
            try:
                await action(key)
            except Refused:
                continue
        if n % 5 == 0:
            await store.expire_due()


@pytest.mark.server
async def test_stays_of_overlapping_days_never_lock_each_other_out() -> None:
    rented: dict[str, CarRental] = {}
    async with (
        running_engine(STAY) as engine,
        opened(SERVICE, engine, 900) as store,
        opened(SERVICE, engine, BRIEF_S) as brief,
    ):
        # A deadlock is an error of one of the two, which nothing here catches.
        await asyncio.gather(*(rent(store, brief, writer, rented) for writer in range(WRITERS)))
        assert {entry.key for entry in await every(store)} == set(rented)
        async with asyncio.timeout(PATIENCE_S):
            # The brief holds end by and by.
            while await shown(store) != await counted(store, rented):
                await store.expire_due()


async def every(store: Any) -> list[Reservation]:
    """All reservations."""
    found: list[Reservation] = []
    while page := await store.list(None, 500, found[-1].key if found else None):
        found += page
    return found


async def shown(store: Any) -> dict[date, tuple[int, int]]:
    """Held and confirmed units of each day, by the stock."""
    return {row.date: (row.held, row.confirmed) for row in await store.inventory(500, None)}


async def counted(store: Any, rented: dict[str, CarRental]) -> dict[date, tuple[int, int]]:
    """The same by the reservations."""
    units: Counter[tuple[date, Status]] = Counter()
    for entry in await every(store):
        for claim in rented[entry.key].claims():
            units[claim.day, entry.status] += claim.units
    days = {day for day, _ in units}
    return {day: (units[day, Status.HELD], units[day, Status.CONFIRMED]) for day in days}


def test_a_body_claims_one_item_in_one_number() -> None:
    two_days = [Claim("VAN", FIRST, 2), Claim("VAN", FIRST + timedelta(days=1), 2)]
    assert taken(two_days) == ("VAN", [claim.day for claim in two_days], 2)
    for other in (Claim("CAR", FIRST, 2), Claim("VAN", FIRST, 1)):
        with pytest.raises(ValueError, match="unpack"):
            taken([*two_days, other])
