"""The hotel partner's store: a transaction a call does both the stay's record and its nights' counters."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from pymongo.errors import DuplicateKeyError

from partners.erasing import ERASED, without_parts
from partners.hotel.database import CALL_TIMEOUT_S, Client, Database, Document
from partners.hotel.declaration import HotelStay
from partners.hotel.participation import Participation, as_written, closed_stay, noted, takes_part
from partners.hotel.stays import night_name, reservation
from partners.hotel.transactions import Transactions
from partners.inventory import InventoryRow, Position
from partners.participant import Noted, Refusal, Told
from partners.rules import confirmed, repeated
from partners.store import Refused, Reservation, Status, UnknownKey

# An audit's page; the engine of the embedded system reads and sorts the whole collection for it.
LIST_TIMEOUT_S = 30.0
SWEEP_BATCH = 200


class HotelStore(Participation):
    """Rooms by the night; a stay holds all of its nights or none."""

    def __init__(self, client: Client, database: Database, hold_s: float) -> None:
        super().__init__(database)
        self._client, self._nights = client, database.nights
        self._transactions = Transactions(client, database)
        self._hold_s = hold_s

    async def hold(self, key: str, body: HotelStay, note: str | None = None) -> tuple[Reservation, bool]:
        """As Participant.hold."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            try:
                stay = await self._transactions.hold(key, body, self._hold_s, note)
            except (Refused, DuplicateKeyError) as refusal:
                return await self._repeat(key, body, note, refusal), False
            return as_written(stay), True

    async def confirm(self, key: str) -> Reservation:
        """As Participant.confirm."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            while (known := await self._find(key)) and known["status"] == Status.HELD:
                if stay := await self._transactions.change(known, Status.CONFIRMED):
                    return as_written(stay)
                await self._settled(key)
            return confirmed(as_written(known) if known else None)

    async def release(self, key: str, note: str | None = None) -> Reservation:
        """As Participant.release."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            stay = await self._find(key) or await self._insert(closed_stay(key, note))
            while stay["status"] != Status.RELEASED or (note is not None and not takes_part(stay)):
                stay = await self._transactions.change(stay, Status.RELEASED, note) or await self._read(key)
            return as_written(stay)

    async def refuse(self, key: str, refusal: Refusal, note: str) -> Noted:
        """As Participant.refuse."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            stay = await self._insert(closed_stay(key, note, refusal))
            while not takes_part(stay):
                stay = await self._transactions.change(stay, stay["status"], note) or await self._read(key)
            return noted(stay)

    async def mark_told(self, told: Sequence[Told]) -> None:
        """As Participant.mark_told."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await self._transactions.mark_told(told)

    async def erase(self, key: str) -> None:
        """As Store.erase. A stay knows nobody, but for what a message asked of others."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            found = await self._find(key) or {}
            left = {"note": without_parts(found["note"])} if takes_part(found) else {}
            if "refusal" in found:
                left["refusal.message"] = ERASED
            if left:
                await self._stays.update_one({"_id": key}, {"$set": left})

    async def get(self, key: str) -> Reservation:
        """As Store.get."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            found = await self._find(key)
            if found is None:
                raise UnknownKey
            return reservation(found, await self._now())

    async def list(self, status: Status | None, limit: int, after: str | None) -> Sequence[Reservation]:
        """As Store.list."""
        async with asyncio.timeout(LIST_TIMEOUT_S):
            if status in {Status.HELD, Status.EXPIRED}:
                await self._expire_all()
            wanted = {"_id": {"$gt": after or ""}} | ({"status": status} if status else {})
            # Left to itself, the development engine sorts the whole collection for a page of it.
            hint = None if status else "_id_"
            found = await self._stays.find(wanted, sort={"_id": 1}, limit=limit, hint=hint).to_list()
            now = await self._now()
            return [reservation(stay, now) for stay in found]

    async def expire_due(self) -> int:
        """As Store.expire_due, for SWEEP_BATCH holds at most."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            due = {"status": Status.HELD, "expires_at": {"$lte": await self._now()}}
            found = await self._stays.find(due, sort={"expires_at": 1}, limit=SWEEP_BATCH).to_list()
            expired = [await self._transactions.change(stay, Status.EXPIRED) for stay in found]
            return len([stay for stay in expired if stay])

    async def inventory(self, limit: int, after: Position | None) -> Sequence[InventoryRow]:
        """As HasStock.inventory."""
        name = night_name(*after) if after else ""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            nights = await self._nights.find({"_id": {"$gt": name}}, sort={"_id": 1}, limit=limit).to_list()
        return [InventoryRow(**night | {"id": night["hotel_id"]}) for night in nights]

    async def ping(self) -> None:
        """As Store.ping."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await self._client.admin.command("ping")

    async def close(self) -> None:
        """As Store.close."""
        await self._client.close()

    async def _now(self) -> datetime:
        """The engine's clock."""
        now: datetime = (await self._client.admin.command("hello"))["localTime"]
        return now.replace(tzinfo=UTC)

    async def _find(self, key: str) -> Document | None:
        return await self._stays.find_one({"_id": key})

    async def _read(self, key: str) -> Document:
        """The document of a key that is known: none is ever deleted."""
        found = await self._find(key)
        assert found is not None
        return found

    async def _insert(self, stay: Document) -> Document:
        """Insert a stay that has no rooms. Returns the document that then has the key."""
        try:
            await self._stays.insert_one(stay)
        except DuplicateKeyError:
            return await self._read(stay["_id"])
        return stay

    async def _repeat(self, key: str, body: HotelStay, note: str | None, refusal: Exception) -> Reservation:
        """The answer to a hold whose key is known. Raises the refusal if the key is not known."""
        while known := await self._settled(key):
            found = repeated(as_written(known), known.get("body") == body.model_dump(mode="json"))
            if note is None or takes_part(known):
                return found
            await self._transactions.change(known, known["status"], note)
        raise refusal

    async def _settled(self, key: str) -> Document | None:
        """As `_find`. A hold past its time is given back first: a confirmation on its way may still win."""
        while (found := await self._find(key)) and found["status"] == Status.HELD:
            if found["expires_at"] > await self._now():
                break
            await self._transactions.change(found, Status.EXPIRED)
        return found

    async def _expire_all(self) -> None:
        while await self.expire_due():
            pass
