"""What the hotel's engine alone can do to it."""

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from partners.hotel.declaration import HotelStay
from partners.hotel.service import service
from partners.participant import Told
from tests.partners_engines.cases import CASES
from tests.partners_engines.engines import opened, running_engine
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.server

CASE = CASES[0]


async def test_transaction_left_open_by_a_dead_service_holds_up_nobody() -> None:
    async with running_engine(service.declaration) as engine:
        async with opened(service, engine, 900) as store:
            await store.hold("before", CASE.plenty)
        left_open: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(engine.url)
        async with left_open.start_session() as session:
            await session.start_transaction()
            nights = left_open["hotel"]["nights"]
            await nights.update_many({}, {"$inc": {"free": -1, "held": 1}}, session=session)

            async with opened(service, engine, 900) as store:
                _, new = await store.hold("after", CASE.plenty)
                assert new
                rows = await store.inventory(500, None)
                assert [row.held for row in rows] == [2] * len(rows)
        await left_open.close()


async def test_stays_are_marked_as_told_while_others_are_booked() -> None:
    """The development engine stands still for seconds if a stay of an open transaction is marked."""
    first = date.today() + timedelta(days=30)

    def stay(number: int) -> HotelStay:
        day = first + timedelta(days=3 * number)
        return HotelStay(hotel_id="BENCH-HOTEL", check_in=day, check_out=day + timedelta(days=3), rooms=1)

    async with running_engine(service.declaration) as engine, opened(service, engine, 900) as store:

        async def book(number: int) -> None:
            key = f"stay-{number}"
            await store.hold(key, stay(number), "note")
            await store.confirm(key)
            seqs[key] = (await store.release(key, "note")).seq

        async def keep_marking() -> None:
            while not booked.is_set():
                await store.mark_told([Told(row.key, row.seq) for row in await store.untold(500)])
                await asyncio.sleep(0.05)

        seqs: dict[str, int] = {}
        booked = asyncio.Event()  # the client's waits can lose a cancellation under Python 3.11
        marking = asyncio.create_task(keep_marking())
        try:
            async with asyncio.timeout(PATIENCE_S):
                for start in range(0, 100, 10):
                    await asyncio.gather(*map(book, range(start, start + 10)))
            assert not marking.done(), marking.exception()
        finally:
            booked.set()
            await asyncio.wait([marking])
        assert set(seqs.values()) == {3}
