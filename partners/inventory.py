"""The audit view that hotel, tour and flight share: the stock of every day ever touched."""

from collections.abc import Sequence
from datetime import date

from pydantic import BaseModel

from serving.paging import CursorError, Page, page, read_cursor


class InventoryRow(BaseModel):
    """One day's stock: total = free + held + confirmed."""

    id: str
    date: date
    total: int
    free: int
    held: int
    confirmed: int


def read_position(cursor: str | None) -> tuple[str, date] | None:
    """The id and day after which a page of the inventory starts. Raises CursorError."""
    position = read_cursor(cursor, parts=2)
    if position is None:
        return None
    try:
        return position[0], date.fromisoformat(position[1])
    except ValueError as error:
        raise CursorError from error


def inventory_page(found: Sequence[InventoryRow], limit: int) -> Page[InventoryRow]:
    """A page of `found`, which is in the order of id and day and holds one more where more follow."""
    return page(found, limit, lambda row: (row.id, row.date.isoformat()))
