"""What the partners on PostgreSQL share: bounded access, their schema, and the life of a reservation."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

import asyncpg

from partners.declaration import B
from partners.rules import confirmed, new_reference, repeated
from partners.store import Reservation, Status, UnknownKey
from serving.postgres import drop_if_read_only, reset_nothing

POOL_SIZE = 10
ACQUIRE_TIMEOUT_S = 2.0
COMMAND_TIMEOUT_S = 3.0
CONNECT_TIMEOUT_S = 5.0
SWEEP_BATCH = 1000
CONFIRM_ATTEMPTS = 3
SETTLING_S = 0.01

STANDS = "CASE WHEN status = 'held' AND expires_at <= now() THEN 'expired' ELSE status END"


@asynccontextmanager
async def opened_pool(engine_url: str, schema: str, script: Path) -> AsyncIterator[asyncpg.Pool]:
    """A pool on a database that has `schema`, made by `script` if it was missing.

    `{schema}` in the script stands for its name.
    """
    sql = (await asyncio.to_thread(script.read_text, "utf-8")).replace("{schema}", schema)
    pool = await asyncpg.create_pool(
        engine_url,
        min_size=0,
        max_size=POOL_SIZE,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=COMMAND_TIMEOUT_S,
        reset=reset_nothing,
        server_settings={"application_name": f"partner-{schema}", "jit": "off"},
    )
    try:
        await _make_schema(pool, schema, sql)
        yield pool
    finally:
        await close_pool(pool)


async def _make_schema(pool: asyncpg.Pool, schema: str, sql: str) -> None:
    async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection, connection.transaction():
        # Instances that start together take turns, and only the first finds the schema missing.
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", f"partners.{schema}")
        if await connection.fetchval("SELECT to_regclass($1) IS NULL", f"{schema}.reservations"):
            await connection.execute(sql)


async def close_pool(pool: asyncpg.Pool) -> None:
    """Close the pool's connections, by force if they do not come back in time."""
    try:
        async with asyncio.timeout(COMMAND_TIMEOUT_S):
            await pool.close()
    except TimeoutError:
        pool.terminate()


async def fetch(pool: asyncpg.Pool, sql: str, *arguments: object) -> list[asyncpg.Record]:
    """The rows of one statement, which is one transaction. Raises what is in AWAY."""
    async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
        try:
            return await connection.fetch(sql, *arguments)
        except asyncpg.PostgresError as error:
            await drop_if_read_only(pool, error)
            raise


@dataclass(frozen=True)
class Statements(Generic[B]):
    """A partner's SQL; each statement does a verb's record and its effect, in one transaction.

    hold(key, reference, hold_s, *values(body)), confirm(key) and release(key) return the reservation's row
    if they did something, and none if there was nothing to do. expire(limit) returns a row for each hold
    that it gave back. `columns` are those of `table` that `values(body)` fills.
    """

    table: str
    prefix: str
    columns: tuple[str, ...]
    values: Callable[[B], tuple[object, ...]]
    hold: str
    confirm: str
    release: str
    expire: str

    def select(self, rest: str) -> str:
        """Rows as their verbs see them: a hold is no longer held once its time is over, swept or not."""
        return f"""
            SELECT key, {STANDS} AS status, status AS written, reference, amount_minor, currency, expires_at,
                   {", ".join(self.columns)}
            FROM {self.table} {rest}"""  # noqa: S608  names from this package alone


def _reservation(row: asyncpg.Record) -> Reservation:
    return Reservation(
        key=row["key"],
        reference=row["reference"],
        status=Status(row["status"]),
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        expires_at=row["expires_at"],
    )


class PostgresStore(Generic[B]):
    """The reservations of one table, in the words of partners.store.Store."""

    def __init__(self, pool: asyncpg.Pool, statements: Statements[B], hold_s: float) -> None:
        self._pool = pool
        self._sql = statements
        self._hold_s = hold_s

    async def _one(self, sql: str, *arguments: object) -> asyncpg.Record | None:
        rows = await fetch(self._pool, sql, *arguments)
        return rows[0] if rows else None

    async def _find(self, key: str) -> asyncpg.Record | None:
        return await self._one(self._sql.select("WHERE key = $1"), key)

    async def _settled(self, key: str) -> asyncpg.Record | None:
        """As `_find`. A hold past its time is given back first: a confirmation on its way may still win."""
        async with asyncio.timeout(COMMAND_TIMEOUT_S):
            while (row := await self._find(key)) and row["status"] == Status.EXPIRED != row["written"]:
                if not await self.expire_due():
                    await asyncio.sleep(SETTLING_S)
        return row

    async def hold(self, key: str, body: B) -> tuple[Reservation, bool]:
        """As Store.hold. Raises UnknownKey if the statement made no reservation and none was there."""
        reference = new_reference(self._sql.prefix)
        row = await self._one(self._sql.hold, key, reference, self._hold_s, *self._sql.values(body))
        if row is not None:
            return _reservation(row), True
        return await self.repeat(key, body), False

    async def repeat(self, key: str, body: B) -> Reservation:
        """The answer to a hold whose key is known. Raises UnknownKey, Refused(CLOSED) and DifferentBody."""
        row = await self._settled(key)
        if row is None:
            raise UnknownKey
        same = tuple(row[column] for column in self._sql.columns) == self._sql.values(body)
        return repeated(_reservation(row), same)

    async def confirm(self, key: str) -> Reservation:
        """As Store.confirm."""
        for _ in range(CONFIRM_ATTEMPTS):
            row = await self._one(self._sql.confirm, key)
            if row is not None:
                return _reservation(row)
            row = await self._settled(key)
            found = None if row is None else _reservation(row)
            # Held: the hold was committed between the two statements, and can be confirmed.
            if found is None or found.status is not Status.HELD:
                return confirmed(found)
        raise TimeoutError

    async def release(self, key: str) -> Reservation:
        """As Store.release."""
        row = await self._one(self._sql.release, key)
        return await self.get(key) if row is None else _reservation(row)

    async def get(self, key: str) -> Reservation:
        """As Store.get."""
        row = await self._find(key)
        if row is None:
            raise UnknownKey
        return _reservation(row)

    async def list(self, status: Status | None, limit: int, after: str | None) -> Sequence[Reservation]:
        """As Store.list."""
        page = self._sql.select(
            f"WHERE key > $1 AND ($2::text IS NULL OR {STANDS} = $2) ORDER BY key LIMIT $3"
        )
        return [_reservation(row) for row in await fetch(self._pool, page, after or "", status, limit)]

    async def expire_due(self) -> int:
        """As Store.expire_due, for SWEEP_BATCH holds at most."""
        return len(await fetch(self._pool, self._sql.expire, SWEEP_BATCH))

    async def ping(self) -> None:
        """As Store.ping."""
        await fetch(self._pool, "SELECT 1")

    async def close(self) -> None:
        """As Store.close."""
        await close_pool(self._pool)
