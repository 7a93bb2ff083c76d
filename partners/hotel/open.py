"""Opens the hotel partner's store, with its audit view."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from partners.hotel.database import connected, prepare
from partners.hotel.store import HotelStore
from partners.inventory import InventoryRow, inventory_page, read_position
from serving.paging import Cursor, Limit, Page
from serving.problems import documented


def _audit(store: HotelStore) -> APIRouter:
    router = APIRouter()

    @router.get("/inventory", responses=documented(401, 422, 503))
    async def inventory(limit: Limit = 50, cursor: Cursor = None) -> Page[InventoryRow]:
        """The rooms of every night ever touched, in the order of the nights' names."""
        position = read_position(cursor)
        after = f"{position[0]}/{position[1]}" if position else ""
        nights = await store.inventory(limit + 1, after)
        return inventory_page([InventoryRow(**night | {"id": night["hotel_id"]}) for night in nights], limit)

    return router


@asynccontextmanager
async def open_hotel(engine_url: str, hold_s: float) -> AsyncIterator[tuple[HotelStore, APIRouter]]:
    """The store on the engine at `engine_url`, whose holds last `hold_s` seconds, and its audit view."""
    async with connected(engine_url) as client:
        store = HotelStore(client, await prepare(client), hold_s)
        yield store, _audit(store)
