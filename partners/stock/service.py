"""The service of a stay whose stock is in PostgreSQL."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from partners.declaration import B, Stay
from partners.inventory import stock_view
from partners.postgres.database import fetch, opened_pool
from partners.service import PartnerService
from partners.stock.statements import ADD_ITEMS
from partners.stock.store import StockStore
from serving.postgres import AWAY

SCHEMA = Path(__file__).with_name("schema.sql")


class Item(NamedTuple):
    """A kind of thing in stock: its price a unit and day, in yen, and how many units a day has."""

    price_minor: int
    units_a_day: int


def stock_service(stay: Stay[B], items: Mapping[str, Item]) -> PartnerService[StockStore[B]]:
    """The service of `stay`, with `items` as its sample data, by their ids."""

    @asynccontextmanager
    async def opened(engine_url: str, hold_s: float) -> AsyncIterator[StockStore[B]]:
        async with opened_pool(engine_url, stay.name, SCHEMA) as pool:
            columns = list(items), *map(list, zip(*items.values(), strict=True))
            await fetch(pool, ADD_ITEMS.format(schema=stay.name), *columns)
            yield StockStore(pool, stay, hold_s)

    return PartnerService(declaration=stay, engine_errors=AWAY, open=opened, audit=stock_view)
