"""Opens the flight partner's store, with its audit view."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from partners.flight.engine import add_sample, connected
from partners.flight.store import FlightStore
from partners.inventory import InventoryRow, inventory_page, read_position
from partners.redis import CALL_TIMEOUT_S
from serving.paging import Cursor, Limit, Page
from serving.problems import documented


def _audit(store: FlightStore) -> APIRouter:
    router = APIRouter()

    @router.get("/inventory", responses=documented(401, 422, 503))
    async def inventory(limit: Limit = 50, cursor: Cursor = None) -> Page[InventoryRow]:
        """The seats of every flight and day ever touched, in the order of their names."""
        position = read_position(cursor)
        after = f"{position[0]}/{position[1]}" if position else None
        return inventory_page(await store.inventory(limit + 1, after), limit)

    return router


@asynccontextmanager
async def open_flight(engine_url: str, hold_s: float) -> AsyncIterator[tuple[FlightStore, APIRouter]]:
    """The store on the engine at `engine_url`, whose holds last `hold_s` seconds, and its audit view."""
    async with connected(engine_url) as engine:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await add_sample(engine)
        store = FlightStore(engine, hold_s)
        yield store, _audit(store)
