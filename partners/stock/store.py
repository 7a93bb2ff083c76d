"""A stay's store on PostgreSQL."""

from collections.abc import Sequence

import asyncpg

from partners.declaration import B, Stay
from partners.inventory import InventoryRow, Position
from partners.postgres.database import fetch
from partners.postgres.store import PostgresStore
from partners.stock.statements import INVENTORY, statements, taken
from partners.store import Code, Refused, Reservation, UnknownKey


class StockStore(PostgresStore[B]):
    """Units of items by the day. A hold takes all of its days or none."""

    def __init__(self, pool: asyncpg.Pool, stay: Stay[B], hold_s: float) -> None:
        super().__init__(pool, statements(stay), hold_s)
        self._stay = stay

    async def hold(self, key: str, body: B, note: str | None = None) -> tuple[Reservation, bool]:
        """As Participant.hold. Refused if the item is not known or one of the days has too few units left."""
        try:
            return await super().hold(key, body, note)
        except asyncpg.CheckViolationError as error:
            item, days, units = taken(self._stay.claims(body))
            when = f"on {days[0]}" if len(days) == 1 else f"on a day from {min(days)} to {max(days)}"
            raise Refused(Code.SOLD_OUT, f"{item} has fewer than {units} left {when}") from error
        except UnknownKey as error:
            item, _, _ = taken(self._stay.claims(body))
            raise Refused(Code.NOT_FOUND, f"there is no {self._stay.name} {item}") from error

    async def inventory(self, limit: int, after: Position | None) -> Sequence[InventoryRow]:
        """As HasStock.inventory."""
        item, day = after or (None, None)
        rows = await fetch(self._pool, INVENTORY.format(schema=self._stay.name), item, day, limit)
        return [InventoryRow(**row) for row in rows]
