"""The rows of choreographed trips. Whoever changes one locks it first, and decides on what it then says."""

import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from record import attempts
from record.noted import NotedMessage
from record.pool import Pool, connected
from record.trips import FINAL
from serving.paging import CursorError, Page
from serving.paging import page as page_of
from trip.fence import Mark
from trip.trip import TripStatus

CURSOR = r"^[0-9]{1,18}$"

# Documents are read and written as text, which their models parse and make.
_COLUMNS = """
    trip_id, booking::text, sending::text, ending::text, facts::text, trip::text, updated_at, due_at,
    clock_timestamp() as now
    """

_UNFINISHED = "coordination = 'choreography' and status not in ('confirmed', 'failed', 'cancelled')"

_LOCK = f"""
    select {_COLUMNS} from trips where trip_id = any($1) and {_UNFINISHED} order by trip_id for update
    """  # noqa: S608 - made of constants

_LOCK_DUE = f"""
    select {_COLUMNS} from trips where due_at <= now() and {_UNFINISHED}
    order by due_at limit $1 for update skip locked
    """  # noqa: S608 - made of constants

_BEGIN = f"""
    with begun as (
        update trips set sending = 'begun', started_at = coalesce(started_at, now())
        where trip_id = $1 and sending is null and {_UNFINISHED}
            and clock_timestamp() < created_at + $2::float8 * interval '1 second'
        returning trip_id)
    insert into trip_messages (trip_id, message_id, subject, source, at, body)
    select trip_id, $3, $4, $5, $6, $7::text::json from begun
    """  # noqa: S608 - made of constants

_WRITE = """
    with wanted as (
        select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                             $7::timestamptz[], $8::timestamptz[])
            as w (trip_id, sending, ending, facts, trip, status, updated_at, due_at)),
    written as (
        update trips t set
            sending = w.sending::sending, ending = w.ending::json, facts = w.facts::json,
            trip = coalesce(w.trip::json, t.trip), status = coalesce(w.status, t.status),
            version = t.version + (w.trip is not null)::integer, updated_at = w.updated_at,
            started_at = coalesce(t.started_at, now()), due_at = w.due_at
        from wanted w where t.trip_id = w.trip_id and t.status <> all($9::text[])
        returning t.trip_id, t.version, w.trip),
    noted as (
        insert into trip_messages (trip_id, message_id, subject, source, at, body)
        select m.trip_id, m.message_id, m.subject, m.source, m.at, m.body::json
        from unnest($10::text[], $11::text[], $12::text[], $13::text[], $14::timestamptz[], $15::text[])
            as m (trip_id, message_id, subject, source, at, body)
        on conflict do nothing)
    insert into trip_events (trip_id, version, trip)
    select trip_id, version, trip::json from written where trip is not null
    """

_POSTPONE = "update trips set due_at = now() + interval '1 minute' where trip_id = any($1)"

_MESSAGES = """
    select m.number, m.message_id, m.subject, m.source, m.at, m.heard_at, m.body
    from trips t left join trip_messages m on m.trip_id = t.trip_id and m.number > $3
    where t.trip_id = $1 and t.tenant = $2
    order by m.number limit $4
    """


@dataclass(frozen=True, slots=True)
class Found:
    """A trip's row, locked. Documents are JSON as text. `now` is PostgreSQL's time."""

    trip_id: str
    booking: str
    sending: str | None
    ending: str | None
    facts: str | None
    trip: str
    updated_at: datetime
    due_at: datetime | None
    now: datetime


class Written(NamedTuple):
    """What a locked row is to say. Without `trip`, the trip that is shown has not changed."""

    trip_id: str
    sending: Mark | None
    ending: str | None
    facts: str
    trip: str | None
    status: TripStatus | None
    updated_at: datetime
    due_at: datetime | None


async def begin(pool: Pool, deadline_s: float, requested: NotedMessage) -> bool:
    """Mark that holds are asked for, and keep the message that asks. False if the row does not give leave.

    It does not if it has a mark, or if the deadline is over.
    """
    trip_id, *message = requested
    async with connected(pool) as connection:
        done = await connection.execute(_BEGIN, trip_id, deadline_s, *message)
    return done != "INSERT 0 0"


class Batch:
    """Rows that are locked until the context that gave them ends."""

    def __init__(self, connection: PoolConnectionProxy, rows: Iterable[asyncpg.Record]) -> None:
        self._connection = connection
        self.found = [Found(**row) for row in rows]

    async def write(
        self, changes: Sequence[Written], messages: Sequence[NotedMessage], failures: Sequence[attempts.Entry]
    ) -> None:
        """Change rows of the batch, with the event of each trip that is shown anew.

        Messages and failed attempts are kept beside them.
        """
        if failures:
            await attempts.write_on(self._connection, failures)
        if changes or messages:
            await self._connection.execute(
                _WRITE, *_columns(changes, Written), FINAL, *_columns(messages, NotedMessage)
            )

    async def postpone(self, trip_ids: Sequence[str]) -> None:
        """Look at trips later, which this version cannot read."""
        await self._connection.execute(_POSTPONE, trip_ids)


def _columns(rows: Sequence[tuple[Any, ...]], kind: type[Written | NotedMessage]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in kind._fields]


@contextlib.asynccontextmanager
async def locked(pool: Pool, trip_ids: Iterable[str]) -> AsyncIterator[Batch]:
    """Those of these trips that are choreographed and have not ended. Raises RecordAway.

    Everybody locks in the order of ids, so that nobody waits for one who waits for them.
    """
    async with connected(pool) as connection, connection.transaction():
        yield Batch(connection, await connection.fetch(_LOCK, list(trip_ids)))


@contextlib.asynccontextmanager
async def locked_due(pool: Pool, limit: int) -> AsyncIterator[Batch]:
    """At most so many trips that are due to be looked at, and that nobody else has locked."""
    async with connected(pool) as connection, connection.transaction():
        yield Batch(connection, await connection.fetch(_LOCK_DUE, limit))


async def messages(
    pool: Pool, trip_id: str, tenant: str, limit: int, cursor: str | None
) -> Page[dict[str, Any]] | None:
    """At most `limit` messages, in the order in which they were heard or told. Raises CursorError.

    None if the tenant has no such trip.
    """
    async with connected(pool) as connection:
        rows = await connection.fetch(_MESSAGES, trip_id, tenant, _number(cursor), limit + 1)
    if not rows:
        return None
    kept = [dict(row) for row in rows if row["number"] is not None]
    return page_of(kept, limit, lambda row: [str(row["number"])], write="".join)


def _number(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isdecimal() or len(cursor) > 18:
        raise CursorError
    return int(cursor)
