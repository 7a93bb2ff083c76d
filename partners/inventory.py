"""The audit view that all stays share: the stock of every day ever touched."""

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from fastapi import APIRouter
from pydantic import BaseModel

from serving.paging import CursorError, Page, page, read_cursor
from serving.problems import documented
from serving.queries import Cursor, Limit
from serving.routes import StrictRoute

Position = tuple[str, date]
"""A row's item and day."""


class InventoryRow(BaseModel):
    """One day's stock: total = free + held + confirmed."""

    id: str
    date: date
    total: int
    free: int
    held: int
    confirmed: int


class HasStock(Protocol):
    """A store that can list its stock."""

    async def inventory(self, limit: int, after: Position | None) -> Sequence[InventoryRow]:
        """At most `limit` rows that follow `after`, in the order of item and day."""
        ...


def stock_view(store: HasStock) -> APIRouter:
    """What a stay serves for the audit."""
    router = APIRouter(route_class=StrictRoute)

    @router.get("/inventory", responses=documented(401, 422, 503))
    async def inventory(limit: Limit = 50, cursor: Cursor = None) -> Page[InventoryRow]:
        """The stock of every item and day ever touched, in their order."""
        found = await store.inventory(limit + 1, _position(cursor))
        return page(found, limit, lambda row: (row.id, row.date.isoformat()))

    return router


def _position(cursor: str | None) -> Position | None:
    position = read_cursor(cursor, parts=2)
    if position is None:
        return None
    try:
        return position[0], date.fromisoformat(position[1])
    except ValueError as error:
        raise CursorError from error
