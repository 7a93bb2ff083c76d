"""The flight partner's store: a script a verb does both the reservation's record and its day's counters."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from partners.erasing import without_parts, without_words
from partners.flight.declaration import FlightSeats
from partners.flight.engine import Engine
from partners.inventory import InventoryRow, Position
from partners.participant import Noted, Refusal, Told
from partners.redis import CALL_TIMEOUT_S
from partners.rules import confirmed, new_reference, repeated
from partners.store import Code, Refused, Reservation, Status, UnknownKey

SWEEP_BATCH = 500

Hash = dict[str, str]


def _hash(fields: Sequence[str]) -> Hash:
    return dict(zip(fields[::2], fields[1::2], strict=True))


def _expiry(found: Hash) -> datetime | None:
    return datetime.fromtimestamp(int(found["expires_at"]) / 1000, UTC) if "expires_at" in found else None


def _reservation(found: Hash, now: datetime) -> Reservation:
    reservation = Reservation.model_validate(found | {"expires_at": _expiry(found)})
    if reservation.status is Status.HELD and reservation.expires_at and reservation.expires_at <= now:
        reservation.status = Status.EXPIRED
    return reservation


def _noted(found: Hash) -> Noted:
    refusal = Refusal.model_validate_json(found["refusal"]) if "refusal" in found else None
    return Noted.model_validate(found | {"expires_at": _expiry(found), "refusal": refusal})


def _answer(found: Hash, now: datetime) -> Reservation:
    """What a verb answers, once the row is written as it stands."""
    return _noted(found) if "note" in found else _reservation(found, now)


def _given(note: str | None) -> Sequence[str]:
    return () if note is None else (note,)


def _body(found: Hash) -> tuple[str | None, ...]:
    return tuple(found.get(field) for field in ("flight_no", "date", "seats"))


class FlightStore:
    """Seats on the flights of a day."""

    def __init__(self, engine: Engine, hold_s: float) -> None:
        self._engine = engine
        self._hold_ms = round(hold_s * 1000)

    async def hold(self, key: str, body: FlightSeats, note: str | None = None) -> tuple[Reservation, bool]:
        """As Participant.hold."""
        wanted = (body.flight_no, body.date.isoformat(), str(body.seats))
        reference = new_reference("FLIGHT")
        answer, found, now = await self._run("hold", key, *wanted, reference, self._hold_ms, *_given(note))
        if answer == "not_found":
            raise Refused(Code.NOT_FOUND, f"there is no flight {body.flight_no}")
        if answer == "sold_out":
            raise Refused(
                Code.SOLD_OUT, f"{body.flight_no} has fewer than {body.seats} seats left on {body.date}"
            )
        # A repeat of this very call, sent again over a fresh connection, finds its own reference.
        new = found["status"] == Status.HELD and found.get("reference") == reference
        return repeated(_answer(found, now), _body(found) == wanted), new

    async def confirm(self, key: str) -> Reservation:
        """As Participant.confirm."""
        _, found, now = await self._run("confirm", key)
        return confirmed(_answer(found, now) if found else None)

    async def release(self, key: str, note: str | None = None) -> Reservation:
        """As Participant.release."""
        _, found, now = await self._run("release", key, *_given(note))
        return _answer(found, now)

    async def refuse(self, key: str, refusal: Refusal, note: str) -> Noted:
        """As Participant.refuse."""
        _, found, _ = await self._run("refuse", key, refusal.model_dump_json(), note)
        return _noted(found)

    async def written(self, key: str) -> Noted | None:
        """As Participant.written."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            [found] = await self._engine.hashes([f"reservation:{key}"])
        return _noted(found) if "note" in found else None

    async def untold(self, limit: int) -> Sequence[Noted]:
        """As Participant.untold."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            keys = await self._engine.untold(limit)
            found = await self._engine.hashes([f"reservation:{key}" for key in keys])
        return [_noted(reservation) for reservation in found]

    async def mark_told(self, told: Sequence[Told]) -> None:
        """As Participant.mark_told."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await self._engine.run("told", *(part for entry in told for part in entry))

    async def arrive(self, key: str, source: str, word: str) -> Mapping[str, str]:
        """As Participant.arrive."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            return _hash(await self._engine.run("arrive", key, source, word))

    async def erase(self, key: str) -> None:
        """As Store.erase. A flight's row knows nobody, but for what a message asked of others."""
        erased = {"note": without_parts, "refusal": without_words}
        async with asyncio.timeout(CALL_TIMEOUT_S):
            [found] = await self._engine.hashes([f"reservation:{key}"])
            if left := {field: erase(found[field]) for field, erase in erased.items() if field in found}:
                await self._engine.write(f"reservation:{key}", left)

    async def get(self, key: str) -> Reservation:
        """As Store.get."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            [found] = await self._engine.hashes([f"reservation:{key}"])
            now = await self._now()
        if not found:
            raise UnknownKey
        return _reservation(found, now)

    async def list(self, status: Status | None, limit: int, after: str | None) -> Sequence[Reservation]:
        """As Store.list."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            if status in {Status.HELD, Status.EXPIRED}:
                while await self.expire_due():
                    pass
            keys = await self._engine.names(f"keys:{status}" if status else "keys", limit, after)
            found = await self._engine.hashes([f"reservation:{key}" for key in keys])
            now = await self._now()
        return [_reservation(reservation, now) for reservation in found]

    async def expire_due(self) -> int:
        """As Store.expire_due, for SWEEP_BATCH holds at most."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            return len(await self._engine.run("expire", SWEEP_BATCH))

    async def inventory(self, limit: int, after: Position | None) -> Sequence[InventoryRow]:
        """As HasStock.inventory."""
        name = f"{after[0]}/{after[1]}" if after else None
        async with asyncio.timeout(CALL_TIMEOUT_S):
            names = await self._engine.names("days", limit, name)
            days = await self._engine.hashes([f"day:{name}" for name in names])
        return [_inventory_row(day) for day in days]

    async def ping(self) -> None:
        """As Store.ping."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await self._engine.redis.ping()

    async def close(self) -> None:
        """As Store.close."""
        await self._engine.redis.aclose()

    async def _now(self) -> datetime:
        seconds, microseconds = await self._engine.redis.time()
        return datetime.fromtimestamp(seconds + microseconds / 1e6, UTC)

    async def _run(self, verb: str, key: str, *arguments: str | int) -> tuple[str, Hash, datetime]:
        """What the verb's script answers: a code, the reservation after it, and the engine's clock."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            code, now_ms, fields = await self._engine.run(verb, key, *arguments)
        return code, _hash(fields), datetime.fromtimestamp(now_ms / 1000, UTC)


def _inventory_row(day: Hash) -> InventoryRow:
    sold = int(day["held"]) + int(day["confirmed"])
    return InventoryRow.model_validate(day | {"free": int(day["total"]) - sold})
