"""What a choreographed saga needs of the hotel: fields of a stay's document, and the words heard of a key."""

import asyncio
from collections.abc import Mapping, Sequence

from partners.hotel.database import CALL_TIMEOUT_S, Database, Document
from partners.hotel.stays import reservation
from partners.participant import Noted, Refusal
from partners.store import Reservation, Status


def takes_part(stay: Document) -> bool:
    """Whether a call has given the stay a note."""
    return stay.get("note") is not None


def change_noted(stay: Document, note: str | None) -> Document:
    """What a change of the stay writes besides: nothing if the stay takes no part."""
    kept = stay.get("note", note)
    return {} if kept is None else {"note": kept, "seq": stay.get("seq", 0) + 1, "untold": True}


def closed_stay(key: str, note: str | None, refusal: Refusal | None = None) -> Document:
    """The document of a key that is closed before it is ever held."""
    closed: Document = {"_id": key, "status": Status.RELEASED}
    if refusal is not None:
        closed["refusal"] = refusal.model_dump()
    return closed | change_noted(closed, note)


def noted(stay: Document) -> Noted:
    """The reservation of a stay that takes part."""
    return Noted.model_validate({"key": stay["_id"]} | stay)


def as_written(stay: Document) -> Reservation:
    """The reservation as its document stands."""
    return noted(stay) if takes_part(stay) else reservation(stay)


class Participation:
    """The calls of Participant that change no stay's status."""

    def __init__(self, database: Database) -> None:
        self._stays, self._heard = database.stays, database.heard

    async def written(self, key: str) -> Noted | None:
        """As Participant.written."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            found = await self._stays.find_one({"_id": key})
        return noted(found) if found and takes_part(found) else None

    async def untold(self, limit: int) -> Sequence[Noted]:
        """As Participant.untold."""
        async with asyncio.timeout(CALL_TIMEOUT_S):
            found = await self._stays.find({"untold": True}, limit=limit).to_list()
        return [noted(stay) for stay in found]

    async def arrive(self, key: str, source: str, word: str) -> Mapping[str, str]:
        """As Participant.arrive. What is read after the write has the words of all who wrote before."""
        first_words = {"$mergeObjects": [{"$literal": {source: word}}, "$words"]}
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await self._heard.update_one({"_id": key}, [{"$set": {"words": first_words}}], upsert=True)
            found = await self._heard.find_one({"_id": key})
        assert found is not None
        words: Mapping[str, str] = found["words"]
        return words
