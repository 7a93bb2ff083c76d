"""A partner's store on PostgreSQL."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, Generic

import asyncpg

from partners.declaration import B
from partners.erasing import without_parts, without_words
from partners.participant import Noted, Refusal, Told
from partners.postgres.database import COMMAND_TIMEOUT_S, close_pool, fetch
from partners.postgres.statements import (
    ARRIVE,
    MARK_TOLD,
    REFUSE,
    STANDS,
    TAKE_PART,
    UNTOLD,
    WRITTEN,
    Statements,
)
from partners.rules import confirmed, new_reference, repeated
from partners.store import Reservation, Status, UnknownKey

SWEEP_BATCH = 1000
CONFIRM_ATTEMPTS = 3
SETTLING_S = 0.01


def _fields(row: asyncpg.Record, status: str) -> dict[str, Any]:
    return {
        "key": row["key"],
        "reference": row["reference"],
        "status": Status(status),
        "amount_minor": row["amount_minor"],
        "currency": row["currency"],
        "expires_at": row["expires_at"],
    }


def _shown(row: asyncpg.Record) -> Reservation:
    """The reservation as it stands."""
    return Reservation(**_fields(row, row["stands"]))


def _noted(row: asyncpg.Record) -> Noted:
    """The reservation as it is written."""
    refusal = row["refusal"]
    return Noted(
        **_fields(row, row["status"]),
        seq=row["seq"],
        note=row["note"],
        refusal=None if refusal is None else Refusal.model_validate_json(refusal),
    )


def _answer(row: asyncpg.Record) -> Reservation:
    """What a verb answers, once the row is written as it stands."""
    return Reservation(**_fields(row, row["status"])) if row["note"] is None else _noted(row)


class PostgresStore(Generic[B]):
    """The reservations of one table, in the words of partners.participant.Participant."""

    def __init__(self, pool: asyncpg.Pool, statements: Statements[B], hold_s: float) -> None:
        self._pool = pool
        self._sql = statements
        self._hold_s = hold_s

    async def _one(self, sql: str, *arguments: object) -> asyncpg.Record | None:
        rows = await fetch(self._pool, sql, *arguments)
        return rows[0] if rows else None

    async def _find(self, key: str) -> asyncpg.Record | None:
        return await self._one(self._sql.select("WHERE key = $1"), key)

    async def _known(self, key: str) -> asyncpg.Record:
        """As `_find`. Raises UnknownKey."""
        row = await self._find(key)
        if row is None:
            raise UnknownKey
        return row

    async def _settled(self, key: str) -> asyncpg.Record | None:
        """As `_find`. A hold past its time is given back first: a confirmation on its way may still win."""
        async with asyncio.timeout(COMMAND_TIMEOUT_S):
            while (row := await self._find(key)) and row["stands"] != row["status"]:
                if not await self.expire_due():
                    await asyncio.sleep(SETTLING_S)
        return row

    async def hold(self, key: str, body: B, note: str | None = None) -> tuple[Reservation, bool]:
        """As Participant.hold. Raises UnknownKey if the statement made no reservation and none was there."""
        reference = new_reference(self._sql.prefix)
        row = await self._one(self._sql.hold, key, reference, self._hold_s, *self._sql.values(body), note)
        if row is not None:
            return _answer(row), True
        return await self.repeat(key, body, note), False

    async def repeat(self, key: str, body: B, note: str | None = None) -> Reservation:
        """The answer to a hold whose key is known. Raises UnknownKey, Refused(CLOSED) and DifferentBody."""
        row = await self._settled(key)
        if row is not None and row["note"] is None and note is not None:
            await fetch(self._pool, self._sql.shared(TAKE_PART), key, note)
            row = await self._settled(key)
        if row is None:
            raise UnknownKey
        same = tuple(row[column] for column in self._sql.columns) == self._sql.values(body)
        return repeated(_answer(row), same)

    async def confirm(self, key: str) -> Reservation:
        """As Participant.confirm."""
        for _ in range(CONFIRM_ATTEMPTS):
            row = await self._one(self._sql.confirm, key)
            if row is not None:
                return _answer(row)
            row = await self._settled(key)
            found = None if row is None else _answer(row)
            # Held: the hold was committed between the two statements, and can be confirmed.
            if found is None or found.status is not Status.HELD:
                return confirmed(found)
        raise TimeoutError

    async def release(self, key: str, note: str | None = None) -> Reservation:
        """As Participant.release."""
        return _answer(await self._one(self._sql.release, key, note) or await self._known(key))

    async def refuse(self, key: str, refusal: Refusal, note: str) -> Noted:
        """As Participant.refuse."""
        sql = self._sql.shared(REFUSE)
        return _noted(await self._one(sql, key, note, refusal.model_dump_json()) or await self._known(key))

    async def written(self, key: str) -> Noted | None:
        """As Participant.written."""
        row = await self._one(self._sql.shared(WRITTEN), key)
        return None if row is None else _noted(row)

    async def untold(self, limit: int) -> Sequence[Noted]:
        """As Participant.untold."""
        return [_noted(row) for row in await fetch(self._pool, self._sql.shared(UNTOLD), limit)]

    async def mark_told(self, told: Sequence[Told]) -> None:
        """As Participant.mark_told."""
        keys, seqs = [one.key for one in told], [one.seq for one in told]
        await fetch(self._pool, self._sql.shared(MARK_TOLD), keys, seqs)

    async def arrive(self, key: str, source: str, word: str) -> Mapping[str, str]:
        """As Participant.arrive."""
        (row,) = await fetch(self._pool, self._sql.shared(ARRIVE), key, source, word)
        words: dict[str, str] = json.loads(row["words"])
        return words

    async def erase(self, key: str) -> None:
        """As Store.erase. The note's change raises the row's `seq`; who was told of it is not told again."""
        row = await self._find(key)
        if row is None:
            return
        note, refusal = row["note"], row["refusal"]
        left = note and without_parts(note), refusal and without_words(refusal)
        (erased,) = await fetch(self._pool, self._sql.erase, key, *left)
        if not row["untold"]:
            await self.mark_told([Told(key, erased["seq"])])

    async def get(self, key: str) -> Reservation:
        """As Store.get."""
        return _shown(await self._known(key))

    async def list(self, status: Status | None, limit: int, after: str | None) -> Sequence[Reservation]:
        """As Store.list."""
        page = self._sql.select(
            f"WHERE key > $1 AND ($2::text IS NULL OR {STANDS} = $2) ORDER BY key LIMIT $3"
        )
        return [_shown(row) for row in await fetch(self._pool, page, after or "", status, limit)]

    async def expire_due(self) -> int:
        """As Store.expire_due, for SWEEP_BATCH holds at most."""
        return len(await fetch(self._pool, self._sql.expire, SWEEP_BATCH))

    async def ping(self) -> None:
        """As Store.ping."""
        await fetch(self._pool, "SELECT 1")

    async def close(self) -> None:
        """As Store.close."""
        await close_pool(self._pool)
