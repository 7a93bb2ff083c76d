"""The failed attempts of a trip's calls. The worker writes them and the front door shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from asyncpg.pool import PoolConnectionProxy

from record import cursors
from record.pool import Pool, connected
from serving.paging import Page
from serving.paging import page as page_of
from trip.attempts import FailedAttempt

_WRITE = """
    insert into attempts as a (trip_id, call_id, step, verb, attempt, at, took_ms, outcome, error, next_at)
    select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 where exists (
        select from trips where trip_id = $1 and erased_at is null)
    on conflict (trip_id, call_id, step, attempt, outcome) do update set
        took_ms = extract(epoch from excluded.at - a.at) * 1000 + excluded.took_ms,
        error = excluded.error, next_at = excluded.next_at
    """

_PAGE = """
    select a.attempt_id, a.step, a.verb, a.attempt, a.at, a.took_ms, a.outcome, a.error, a.next_at
    from trips t left join attempts a on a.trip_id = t.trip_id
        and ($3::timestamptz is null or (a.at, a.attempt_id) > ($3, $4))
    where t.trip_id = $1 and t.tenant = $2
    order by a.at, a.attempt_id limit $5
    """


@dataclass(frozen=True)
class Entry:
    """An attempt to write, with its trip and call."""

    trip_id: str
    call_id: str
    attempt: FailedAttempt


async def write(pool: Pool, entries: Sequence[Entry]) -> None:
    """Write attempts. Attempts of a trip that is not in the record, or was erased, are left out.

    If an attempt was put off before, its row is brought up to date.
    """
    async with connected(pool) as connection:
        await write_on(connection, entries)


async def write_on(connection: PoolConnectionProxy, entries: Sequence[Entry]) -> None:
    """As `write`, in the connection's transaction."""
    await connection.executemany(_WRITE, [_row(entry) for entry in entries])


def _row(entry: Entry) -> tuple[object, ...]:
    one = entry.attempt
    return (
        entry.trip_id,
        entry.call_id,
        one.step.value,
        one.verb.value,
        one.attempt,
        one.at,
        one.took_ms,
        one.outcome.value,
        one.error,
        one.next_at,
    )


async def page(
    pool: Pool, trip_id: str, tenant: str, limit: int, cursor: str | None
) -> Page[FailedAttempt] | None:
    """At most `limit` attempts, oldest first. None if the tenant has no such trip. Raises CursorError."""
    after = _position(cursor)
    async with connected(pool) as connection:
        rows = await connection.fetch(_PAGE, trip_id, tenant, *after, limit + 1)
    if not rows:
        return None
    written = [row for row in rows if row["attempt_id"] is not None]
    found = page_of(written, limit, lambda row: cursors.written(row["at"], row["attempt_id"]), write=".".join)
    items = [FailedAttempt.model_validate(dict(row)) for row in found.items]
    return Page(items=items, next_cursor=found.next_cursor)


def _position(cursor: str | None) -> tuple[datetime | None, int | None]:
    if cursor is None:
        return None, None
    at, attempt_id = cursors.read(cursor, cursors.OF_NUMBERED)
    return at, int(attempt_id)
