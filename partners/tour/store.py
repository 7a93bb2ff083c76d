"""The tour partner's store on PostgreSQL, and its audit view."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from fastapi import APIRouter

from partners.inventory import InventoryRow, inventory_page, read_position
from partners.postgres import PostgresStore, fetch, opened_pool
from partners.store import Code, Refused, Reservation, UnknownKey
from partners.tour.declaration import TourSeats
from partners.tour.statements import INVENTORY, TOUR
from serving.paging import Cursor, Limit, Page
from serving.problems import documented

SCHEMA = Path(__file__).with_name("schema.sql")


class TourStore(PostgresStore[TourSeats]):
    """Seats on departures; a hold is refused where the tour is not known or the day has too few left."""

    async def hold(self, key: str, body: TourSeats) -> tuple[Reservation, bool]:
        """As Store.hold."""
        try:
            return await super().hold(key, body)
        except asyncpg.CheckViolationError as error:
            raise Refused(
                Code.SOLD_OUT, f"{body.tour_id} has fewer than {body.seats} seats left on {body.date}"
            ) from error
        except UnknownKey as error:
            raise Refused(Code.NOT_FOUND, f"there is no tour {body.tour_id}") from error


def _audit(pool: asyncpg.Pool) -> APIRouter:
    router = APIRouter()

    @router.get("/inventory", responses=documented(401, 422, 503))
    async def inventory(limit: Limit = 50, cursor: Cursor = None) -> Page[InventoryRow]:
        """The seats of every departure ever touched, in the order of tour and day."""
        tour_id, day = read_position(cursor) or (None, None)
        rows = await fetch(pool, INVENTORY, tour_id, day, limit + 1)
        return inventory_page([InventoryRow(**row) for row in rows], limit)

    return router


@asynccontextmanager
async def open_tour(engine_url: str, hold_s: float) -> AsyncIterator[tuple[TourStore, APIRouter]]:
    """The store on the database at `engine_url`, whose holds last `hold_s` seconds, and its audit view."""
    async with opened_pool(engine_url, "tour", SCHEMA) as pool:
        yield TourStore(pool, TOUR, hold_s), _audit(pool)
