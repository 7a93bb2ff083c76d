"""The hotel partner's transactions: each changes a stay and the counters of its nights together."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

from pymongo.asynchronous.client_session import AsyncClientSession

from partners.hotel.database import Client, Database, Document
from partners.hotel.declaration import HotelStay
from partners.hotel.participation import change_noted
from partners.hotel.stays import (
    COUNTERS,
    moved,
    new_night,
    new_stay,
    night_names,
    write_if_unchanged,
)
from partners.participant import Told
from partners.store import Code, Refused, Status

T = TypeVar("T")

QUEUES = 64


def _sold_out(body: HotelStay) -> Refused:
    return Refused(
        Code.SOLD_OUT, f"{body.hotel_id} has fewer than {body.rooms} rooms left on a night of the stay"
    )


class Transactions:
    """What writes stays and nights."""

    def __init__(self, client: Client, database: Database) -> None:
        self._client = client
        self._hotels, self._nights, self._stays = database.hotels, database.nights, database.stays
        self._queues = [asyncio.Lock() for _ in range(QUEUES)]

    async def hold(self, key: str, body: HotelStay, hold_s: float, note: str | None) -> Document:
        """A new stay, with its rooms of all nights. Raises Refused, and DuplicateKeyError for a known key."""
        names = night_names(body)
        async with self._turn(names):
            nights = await self._read_nights(body.hotel_id, names)
            if not nights:
                raise Refused(Code.NOT_FOUND, "there is no such hotel")
            if any(night["free"] < body.rooms for night in nights):
                # Answered without a transaction, so that a crowd after the last room moves on.
                raise _sold_out(body)
            stay = new_stay(key, body, nights, hold_s)
            stay |= change_noted(stay, note)

            enough = {"_id": {"$in": names}, "free": {"$gte": body.rooms}}

            async def take(session: AsyncClientSession) -> None:
                await self._stays.insert_one(stay, session=session)
                move = moved(body.rooms, "free", "held")
                taken = await self._nights.update_many(enough, move, session=session)
                if taken.matched_count < len(names):
                    raise _sold_out(body)

            await self._transact(take)
        return stay

    async def change(self, known: Document, status: Status, note: str | None = None) -> Document | None:
        """The stay with this status, and its rooms moved along. None, with nothing done, if it cannot be.

        Then the stay is not as it is known any more, or the time of the hold to be confirmed is over.
        """
        changes: Document = {"status": status} | change_noted(known, note)
        source, target = COUNTERS.get(known["status"], "free"), COUNTERS.get(status, "free")

        async def write(session: AsyncClientSession) -> bool:
            update = write_if_unchanged(known, changes)
            written = await self._stays.update_one({"_id": known["_id"]}, update, session=session)
            if written.modified_count and source != target:
                move = moved(known["rooms"], source, target)
                await self._nights.update_many({"_id": {"$in": known["nights"]}}, move, session=session)
            return written.modified_count == 1

        async with self._turn(known.get("nights", ())):
            return known | changes if await self._transact(write) else None

    async def mark_told(self, told: Sequence[Told]) -> None:
        """Take the marks off these states of stays, in turn with what changes the stays.

        The development engine stands still for seconds if a stay of an open transaction is written.
        """
        keys_by_seq: defaultdict[int, list[str]] = defaultdict(list)
        for key, seq in told:
            keys_by_seq[seq].append(key)
        keys = [key for key, _ in told]
        found = await self._stays.find({"_id": {"$in": keys}}, {"nights": True}).to_list()
        async with self._turn(night for stay in found for night in stay.get("nights", ())):
            # Few seqs are in use: a statement for each costs less than a statement for each row.
            for seq, some in keys_by_seq.items():
                still = {"_id": {"$in": some}, "seq": seq}
                await self._stays.update_many(still, {"$unset": {"untold": ""}})

    async def _read_nights(self, hotel_id: str, names: Sequence[str]) -> Sequence[Document]:
        """The nights' documents, made if they are missing, with the engine's `now`; none of no such hotel."""
        found = await self._find_nights(names)
        if len(found) == len(names):
            return found
        hotel = await self._hotels.find_one({"_id": hotel_id})
        if hotel is None:
            return []
        for name in names:
            made = {"$setOnInsert": new_night(name, hotel)}
            await self._nights.update_one({"_id": name}, made, upsert=True)
        return await self._find_nights(names)

    async def _find_nights(self, names: Sequence[str]) -> Sequence[Document]:
        read: list[Document] = [{"$match": {"_id": {"$in": names}}}, {"$set": {"now": "$$NOW"}}]
        return await (await self._nights.aggregate(read)).to_list()

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
            return await session.with_transaction(work)
