"""The points partner's store: a query a verb does both the reservation and its members' sums."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pydantic import BaseModel

from partners.erasing import ERASED, without_parts, without_words
from partners.participant import Noted, Refusal, Told
from partners.points import queries
from partners.points.declaration import PointsRedemption
from partners.points.graph import Graph, Row
from partners.redis import CALL_TIMEOUT_S
from partners.rules import confirmed, new_reference, repeated
from partners.store import Code, Refused, Reservation, Status, UnknownKey

SWEEP_BATCH = 500


class MemberPoints(BaseModel):
    """A member's points; `held` is the part of `balance` that open holds have.

    `opening` is what the member began with: what is missing from it has been redeemed.
    """

    member_id: str
    balance: int
    held: int
    opening: int


def _member(row: Row) -> MemberPoints:
    member_id, balance, held, opening = row
    return MemberPoints(member_id=member_id, balance=balance, held=held, opening=opening)


def _reservation(row: Row) -> Reservation:
    key, reference, status, amount_minor, currency, expires_ms = row[:6]
    return Reservation(
        key=key,
        reference=reference,
        status=status,
        amount_minor=amount_minor,
        currency=currency,
        expires_at=None if expires_ms is None else datetime.fromtimestamp(expires_ms / 1000, UTC),
    )


def _takes_part(row: Row) -> bool:
    return row[8] is not None


def _noted(row: Row) -> Noted:
    status, note, seq, refusal = row[8]
    written = {
        "status": status,
        "note": note,
        "seq": seq,
        "refusal": None if refusal is None else Refusal.model_validate_json(refusal),
    }
    return Noted.model_validate(_reservation(row).model_dump() | written)


def _answer(row: Row) -> Reservation:
    """What a verb answers, once the row is written as it stands."""
    return _noted(row) if _takes_part(row) else _reservation(row)


class PointsStore:
    """Points of members; a household's are drawn on where the member's own run out."""

    def __init__(self, graph: Graph, hold_s: float) -> None:
        self._graph = graph
        self._hold_ms = round(hold_s * 1000)

    async def hold(
        self, key: str, body: PointsRedemption, note: str | None = None
    ) -> tuple[Reservation, bool]:
        """As Participant.hold."""
        reference, asked = new_reference("POINTS"), body.model_dump()
        async with asyncio.timeout(CALL_TIMEOUT_S):
            made = await self._write(
                queries.HOLD, key=key, reference=reference, hold_ms=self._hold_ms, note=note, **asked
            )
            row = made[0] if made else await self._settled(key)
            if row is None:
                raise await self._refusal(body)
            if note is not None and not _takes_part(row):
                await self._write(queries.TAKE_NOTE, key=key, note=note)
                row = await self._known(key)
        # A repeat of this very query, sent again over a fresh connection, finds its own reference.
        new = row[1] == reference and row[2] == Status.HELD
        return repeated(_answer(row), row[6:8] == [body.member_id, body.redeem]), new

    async def confirm(self, key: str) -> Reservation:
        """As Participant.confirm."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            done = await self._write(queries.CONFIRM, key=key)
            row = done[0] if done else await self._settled(key)
        found = _answer(row) if row else None
        if found is not None and found.status is Status.HELD:
            raise UnknownKey  # its hold came after the confirmation had found none
        return confirmed(found)

    async def release(self, key: str, note: str | None = None) -> Reservation:
        """As Participant.release."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await self._write(queries.RELEASE, key=key, note=note)
            return _answer(await self._known(key))

    async def refuse(self, key: str, refusal: Refusal, note: str) -> Noted:
        """As Participant.refuse."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await self._write(queries.REFUSE, key=key, refusal=refusal.model_dump_json(), note=note)
            return _noted(await self._known(key))

    async def written(self, key: str) -> Noted | None:
        """As Participant.written."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            row = await self._find(key)
        return _noted(row) if row and _takes_part(row) else None

    async def untold(self, limit: int) -> Sequence[Noted]:
        """As Participant.untold."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            return [_noted(row) for row in await self._read(queries.UNTOLD, limit=limit)]

    async def mark_told(self, told: Sequence[Told]) -> None:
        """As Participant.mark_told."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await self._graph.write(queries.MARK_TOLD, {"told": [list(entry) for entry in told]})

    async def arrive(self, key: str, source: str, word: str) -> Mapping[str, str]:
        """As Participant.arrive."""
        asked = {"key": key, "source": source, "word": word}
        async with asyncio.timeout(CALL_TIMEOUT_S):
            return dict(await self._graph.write(queries.ARRIVE, asked))

    async def erase(self, key: str) -> None:
        """As Store.erase. A redemption that is confirmed cannot be given back then: nobody knows to whom."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            row = await self._find(key)
            _, note, _, refusal = (row and row[8]) or (None,) * 4
            await self._write(
                queries.ERASE,
                key=key,
                note=note and without_parts(note),
                refusal=refusal and without_words(refusal),
                erased=ERASED,
            )

    async def get(self, key: str) -> Reservation:
        """As Store.get."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            return _reservation(await self._known(key))

    async def list(self, status: Status | None, limit: int, after: str | None) -> Sequence[Reservation]:
        """As Store.list."""
        query = queries.LIST_OF_STATUS if status else queries.LIST
        async with asyncio.timeout(CALL_TIMEOUT_S):
            if status in {Status.HELD, Status.EXPIRED}:
                while await self.expire_due():
                    pass
            rows = await self._read(query, status=status, limit=limit, after=after or "")
        return [_reservation(row) for row in rows]

    async def expire_due(self) -> int:
        """As Store.expire_due, for SWEEP_BATCH holds at most."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            rows = await self._write(queries.EXPIRE, limit=SWEEP_BATCH)
        return int(rows[0][0]) if rows else 0

    async def member(self, member_id: str) -> MemberPoints | None:
        """The member's points; None where there is no such member."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            rows = await self._read(queries.MEMBER, member_id=member_id)
        return _member(rows[0]) if rows else None

    async def members(self, limit: int, after: str | None) -> Sequence[MemberPoints]:
        """At most `limit` members in the order of their ids, those after the id `after`."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            rows = await self._read(queries.MEMBERS, limit=limit, after=after or "")
        return [_member(row) for row in rows]

    async def ping(self) -> None:
        """As Store.ping."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await self._graph.redis.ping()

    async def close(self) -> None:
        """As Store.close."""
        await self._graph.redis.aclose()

    async def _write(self, query: str, **parameters: object) -> Sequence[Row]:
        return await self._graph.write(query, parameters | {"now": await self._graph.now_ms()})

    async def _read(self, query: str, **parameters: object) -> Sequence[Row]:
        return await self._graph.read(query, parameters | {"now": await self._graph.now_ms()})

    async def _find(self, key: str) -> Row | None:
        rows = await self._read(queries.FIND, key=key)
        return rows[0] if rows else None

    async def _known(self, key: str) -> Row:
        """As `_find`. Raises UnknownKey."""
        row = await self._find(key)
        if row is None:
            raise UnknownKey
        return row

    async def _settled(self, key: str) -> Row | None:
        """As `_find`. A hold past its time is given back first: a confirmation on its way may still win."""
        row = await self._find(key)
        if row is not None and row[2] == Status.EXPIRED:
            await self._write(queries.EXPIRE_ONE, key=key, limit=1)
            row = await self._find(key)
        return row

    async def _refusal(self, body: PointsRedemption) -> Refused:
        if await self.member(body.member_id) is None:
            return Refused(Code.NOT_FOUND, "there is no such member")
        return Refused(Code.INSUFFICIENT_POINTS, f"the household has fewer than {body.redeem} points free")
