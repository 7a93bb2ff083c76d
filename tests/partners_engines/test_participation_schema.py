"""A schema of the version before choreographed sagas gets what they need, with its rows as they were."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest

from partners.participant import Noted, Participant
from partners.payment.declaration import Payment
from partners.payment.store import PaymentStore
from partners.stock.service import SCHEMA
from partners.stock.store import StockStore
from partners.store import Status
from partners.tour import service as tour
from partners.tour.declaration import STAY, TourSeats
from stack import postgres
from tests.partners_engines.engines import PASSWORDS, eventually, running_engine

BODY = TourSeats.model_validate({"tour_id": "KYOTO-WALK", "date": "2100-01-01", "seats": 2})

ROWS = """
INSERT INTO tour.items VALUES ('KYOTO-WALK', 5000, 'JPY', 60);
INSERT INTO tour.stock (item, day, total, held) VALUES ('KYOTO-WALK', '2100-01-01', 60, 2);
INSERT INTO tour.reservations (key, status, reference, body, item, days, units, amount_minor, currency,
                               expires_at)
VALUES ('old', 'held', 'TOUR-1', '{body}', 'KYOTO-WALK', '{{2100-01-01}}', 2, 10000, 'JPY',
        now() + interval '1 hour');
"""


def participants(
    seats: StockStore[TourSeats], money: PaymentStore
) -> tuple[Participant[TourSeats], Participant[Payment]]:
    """The stores as participants: this is for mypy alone."""
    return seats, money


@asynccontextmanager
async def older_schema() -> AsyncIterator[str]:
    """The URL of a role that owns a schema of the version before, and may not create one."""
    async with running_engine(STAY) as engine:
        port = urlsplit(engine.url).port
        assert port is not None
        await eventually(tour.service, lambda: postgres.make_roles(port, PASSWORDS))
        url = postgres.url(port, "tour", PASSWORDS.of("tour"))
        connection = await asyncpg.connect(url)
        script = await asyncio.to_thread(SCHEMA.read_text, "utf-8")
        await connection.execute(script.replace("{schema}", "tour"))
        await connection.execute(ROWS.format(body=BODY.model_dump_json()))
        await connection.close()
        yield url


async def start(url: str) -> None:
    async with tour.service.open(url, 900) as store:
        await store.ping()


@pytest.mark.server
async def test_an_older_schema_gets_what_it_lacks() -> None:
    async with older_schema() as url:
        await asyncio.gather(start(url), start(url), start(url))
        reader = await asyncpg.connect(url)
        # A start that finds nothing to add waits for nobody who uses the table.
        async with reader.transaction():
            await reader.execute("LOCK TABLE tour.reservations IN ROW EXCLUSIVE MODE")
            await start(url)
        await reader.close()

        async with tour.service.open(url, 900) as store:
            assert await store.written("old") is None
            assert await store.untold(10) == []
            held, new = await store.hold("old", BODY, "note")
            assert not new
            assert isinstance(held, Noted)
            assert (held.reference, held.status, held.seq) == ("TOUR-1", Status.HELD, 1)
            await store.release("old")
            assert [row.seq for row in await store.untold(10)] == [2]
            assert [(row.held, row.confirmed) for row in await store.inventory(10, None)] == [(0, 0)]
