"""What the hotel's engine alone can do to it."""

from typing import Any

import pytest
from pymongo import AsyncMongoClient

from partners.hotel.service import service
from tests.partners_engines.cases import CASES
from tests.partners_engines.engines import opened, running_engine

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
