"""The trips of a tenant, page by page. Each page is a stretch of one index, read backwards.

The filters are the first columns of the index. They are compared with the position in one row comparison, and
named in the order. So only this one index gives the order, and PostgreSQL has no other plan to choose. A plan
that is good for some arguments and reads the whole table for others cannot come up.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from record import cursors
from record.pool import Pool, connected
from serving.paging import Page
from serving.paging import page as page_of
from trip.trip import TripStatus, shown

Position = tuple[datetime, str]
"""A trip's place in the list: `created_at` and `trip_id`."""

AFTER_ALL: Position = (datetime.max.replace(tzinfo=UTC), "")

_EMAIL = "lower(booking -> 'order' -> 'traveller' ->> 'email')"


@dataclass(frozen=True)
class Wanted:
    """Trips of the tenant; if given, only those of this status and this traveller.

    `email` is compared in full; the case of ASCII letters does not matter.
    """

    tenant: str
    status: TripStatus | None = None
    email: str | None = None


async def page(pool: Pool, wanted: Wanted, limit: int, cursor: str | None) -> Page[dict[str, Any]]:
    """At most `limit` trips, newest first. Raises CursorError."""
    before = AFTER_ALL if cursor is None else cursors.read(cursor, cursors.OF_TRIPS)
    statement, arguments = question(wanted, before, limit + 1)
    async with connected(pool) as connection:
        rows = await connection.fetch(statement, *arguments)
    found = page_of(
        rows, limit, lambda row: cursors.written(row["created_at"], row["trip_id"]), write=".".join
    )
    return Page(items=[shown(row["trip"]) for row in found.items], next_cursor=found.next_cursor)


def question(wanted: Wanted, before: Position, limit: int) -> tuple[str, list[object]]:
    """The statement that asks for the newest trips before a position, and its arguments."""
    filters = [value for value in (wanted.email, wanted.status) if value is not None]
    statement = _STATEMENTS[wanted.email is not None, wanted.status is not None]
    return statement, [limit, *before, wanted.tenant, *filters]


def _statement(key: tuple[str, ...], values: str, condition: str = "true") -> str:
    columns = ", ".join(key)
    order = ", ".join(f"{column} desc" for column in (*key, "created_at", "trip_id"))
    return f"""
        select trip, created_at, trip_id from trips
        where ({columns}) >= ({values}) and ({columns}, created_at, trip_id) < ({values}, $2, $3)
          and {condition}
        order by {order} limit $1
        """  # noqa: S608 - made of the constants below


_STATEMENTS = {
    (False, False): _statement(("tenant",), "$4"),
    (False, True): _statement(("tenant", "status"), "$4, $5"),
    (True, False): _statement(("tenant", _EMAIL), "$4, lower($5)"),
    (True, True): _statement(("tenant", _EMAIL), "$4, lower($5)", "status = $6"),
}
"""The statement by whether an email, and whether a status is asked for."""
