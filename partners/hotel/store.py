"""The hotel partner's store: a transaction a call does both the stay's record and its nights' counters."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import DuplicateKeyError

from partners.hotel.database import Client, Database, Document
from partners.hotel.declaration import HotelStay
from partners.hotel.stays import (
    CONFIRM,
    insert_unless_known,
    new_night,
    new_stay,
    night_name,
    night_names,
    reservation,
)
from partners.inventory import InventoryRow, Position
from partners.rules import confirmed, repeated
from partners.store import Code, Refused, Reservation, Status, UnknownKey

T = TypeVar("T")

CALL_TIMEOUT_S = 5.0
# An audit's page; the engine of the embedded system reads and sorts the whole collection for it.
LIST_TIMEOUT_S = 30.0
SWEEP_BATCH = 200
QUEUES = 64
MAX_CONFLICT_WAIT_S = 0.05


def sold_out(body: HotelStay) -> Refused:
    """The refusal of a stay that one of its nights has no room for."""
    return Refused(
        Code.SOLD_OUT, f"{body.hotel_id} has fewer than {body.rooms} rooms left on a night of the stay"
    )


class HotelStore:
    """Rooms by the night; a stay holds all of its nights or none."""

    def __init__(self, client: Client, database: Database, hold_s: float) -> None:
        self._client = client
        self._hotels, self._nights, self._stays = database.hotels, database.nights, database.stays
        self._hold_s = hold_s
        self._queues = [asyncio.Lock() for _ in range(QUEUES)]

    async def hold(self, key: str, body: HotelStay) -> tuple[Reservation, bool]:
        """As Store.hold."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            names = night_names(body)
            async with self._turn(names):
                nights = await self._read_nights(body.hotel_id, names)
                if not nights:
                    return await self._repeat_or(Refused(Code.NOT_FOUND, "there is no such hotel"), key, body)
                if any(night["free"] < body.rooms for night in nights):
                    # Answered without a transaction, so that a crowd after the last room moves on.
                    return await self._repeat_or(sold_out(body), key, body)
                stay, new = await self._transact(partial(self._hold, new_stay(key, body, nights), body))
                return (reservation(stay) if new else await self._repeat(stay, body)), new

    async def confirm(self, key: str) -> Reservation:
        """As Store.confirm."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            known = await self._find(key)
            if known is None or known["status"] != Status.HELD:
                return confirmed(reservation(known) if known else None)
            async with self._turn(known["nights"]):
                return await self._transact(partial(self._confirm, key))

    async def release(self, key: str) -> Reservation:
        """As Store.release."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            known = await self._find(key) or {}
            if known.get("status") == Status.RELEASED:
                return reservation(known)
            async with self._turn(known.get("nights", ())):
                return await self._transact(partial(self._release, key))

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
            return sum([await self._expire_in_turn(stay) for stay in found])

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

    async def _find(self, key: str, session: AsyncClientSession | None = None) -> Document | None:
        return await self._stays.find_one({"_id": key}, session=session)

    async def _read(self, key: str, session: AsyncClientSession) -> Document:
        """The document of a key that this transaction has written."""
        found = await self._find(key, session)
        assert found is not None
        return found

    async def _read_nights(self, hotel_id: str, names: Sequence[str]) -> Sequence[Document]:
        """The nights' documents, made where they are missing; none where there is no such hotel."""
        wanted = {"_id": {"$in": names}}
        found = await self._nights.find(wanted).to_list()
        if len(found) == len(names):
            return found
        hotel = await self._hotels.find_one({"_id": hotel_id})
        if hotel is None:
            return []
        for name in names:
            made = {"$setOnInsert": new_night(name, hotel)}
            await self._nights.update_one({"_id": name}, made, upsert=True)
        return await self._nights.find(wanted).to_list()

    async def _repeat_or(self, refusal: Refused, key: str, body: HotelStay) -> tuple[Reservation, bool]:
        known = await self._find(key)
        if known is None:
            raise refusal
        return await self._repeat(known, body), False

    async def _repeat(self, known: Document, body: HotelStay) -> Reservation:
        same = known.get("body") == body.model_dump(mode="json")
        found = reservation(known, await self._now())
        if found.status is Status.EXPIRED and known["status"] == Status.HELD:
            # It is given back first: a confirmation on its way may still win.
            await self._transact(partial(self._expire, found.key))
            found = await self.get(found.key)
        return repeated(found, same)

    async def _expire_all(self) -> None:
        while await self.expire_due():
            pass

    async def _expire_in_turn(self, stay: Document) -> bool:
        async with self._turn(stay["nights"]):
            return await self._transact(partial(self._expire, stay["_id"]))

    @asynccontextmanager
    async def _turn(self, nights: Iterable[str]) -> AsyncIterator[None]:
        """Let the calls of this process that share a night go one after another.

        Side by side they would only abort one another: 50 at once on one night made a tenth of the
        progress. What is correct rests on the transaction alone, which other processes meet too.
        """
        async with AsyncExitStack() as stack:
            for queue in sorted({hash(night) % QUEUES for night in nights}):
                await stack.enter_async_context(self._queues[queue])
            yield

    async def _transact(self, work: Callable[[AsyncClientSession], Awaitable[T]]) -> T:
        async with self._client.start_session() as session:
            while True:
                try:
                    return await session.with_transaction(work)
                except DuplicateKeyError:
                    # Two upserts of one key: the loser starts over and finds the winner's document.
                    await asyncio.sleep(random.uniform(0, MAX_CONFLICT_WAIT_S))

    async def _hold(
        self, stay: Document, body: HotelStay, session: AsyncClientSession
    ) -> tuple[Document, bool]:
        made = await self._stays.update_one(
            {"_id": stay["_id"]}, insert_unless_known(stay, self._hold_s), upsert=True, session=session
        )
        found = await self._read(stay["_id"], session)
        if made.upserted_id is None:
            return found, False
        names, rooms = stay["nights"], stay["rooms"]
        taken = await self._nights.update_many(
            {"_id": {"$in": names}, "free": {"$gte": rooms}},
            {"$inc": {"free": -rooms, "held": rooms}},
            session=session,
        )
        if taken.matched_count < len(names):
            raise sold_out(body)
        return found, True

    async def _move(self, stay: Document, source: str, target: str, session: AsyncClientSession) -> None:
        rooms = stay["rooms"]
        moved = {"$inc": {source: -rooms, target: rooms}}
        await self._nights.update_many({"_id": {"$in": stay["nights"]}}, moved, session=session)

    async def _confirm(self, key: str, session: AsyncClientSession) -> Reservation:
        held = {"_id": key, "status": Status.HELD}
        changed = await self._stays.update_one(held, CONFIRM, session=session)
        found = await self._find(key, session)
        if found is None or not changed.matched_count:
            return confirmed(reservation(found) if found else None)
        if found["confirmed_at"] >= found["expires_at"]:
            raise Refused(Code.EXPIRED, "this hold was not confirmed in time")
        await self._move(found, "held", "confirmed", session)
        return reservation(found)

    async def _release(self, key: str, session: AsyncClientSession) -> Reservation:
        stay = await self._find(key, session) or {"_id": key}
        if stay.get("status") in {Status.HELD, Status.CONFIRMED}:
            await self._move(stay, stay["status"], "free", session)
        released = {"$set": {"status": Status.RELEASED}}
        await self._stays.update_one({"_id": key}, released, upsert=True, session=session)
        return reservation(stay | {"status": Status.RELEASED})

    async def _expire(self, key: str, session: AsyncClientSession) -> bool:
        known = await self._find(key, session)
        if known is None or known["status"] != Status.HELD:
            return False
        await self._stays.update_one({"_id": key}, {"$set": {"status": Status.EXPIRED}}, session=session)
        await self._move(known, "held", "free", session)
        return True
