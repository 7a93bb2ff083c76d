"""The hotel partner's database: how it is reached, its collections and its sample data.

`hotels` has a document a hotel, `nights` one a hotel and night with price and counters, `stays` one a
reservation, `heard` one a key that others had words about. No document grows with the number of reservations.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pymongo import ASCENDING, AsyncMongoClient, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConnectionFailure, OperationFailure

Document = dict[str, Any]
Client = AsyncMongoClient[Document]
Database = AsyncDatabase[Document]

CALL_TIMEOUT_S = 5.0
POOL_SIZE = 50
CONNECT_TIMEOUT_MS = 2_000
# The last resort: the store's calls have limits of their own.
SOCKET_TIMEOUT_MS = 30_000
DEFAULT_DATABASE = "hotel"
CURRENCY = "JPY"

ENGINE_ERRORS: tuple[type[Exception], ...] = (ConnectionFailure, OperationFailure)
"""An engine that answers with an error is of no use either: its disk may be full."""

# Price a night in minor units, and rooms.
HOTELS = {
    "KYO-RYOKAN": (18_000, 40),
    "TYO-GRAND": (24_000, 500),
    "OSA-POD": (3_000, 1),
    "BENCH-HOTEL": (100, 10_000_000),
}


@asynccontextmanager
async def connected(engine_url: str) -> AsyncIterator[Client]:
    """A client of the engine, which writes nothing it has not made durable; closed on leaving."""
    client: Client = AsyncMongoClient(
        engine_url,
        appname="partner-hotel",
        tz_aware=True,
        maxPoolSize=POOL_SIZE,
        waitQueueTimeoutMS=CONNECT_TIMEOUT_MS,
        serverSelectionTimeoutMS=CONNECT_TIMEOUT_MS,
        connectTimeoutMS=CONNECT_TIMEOUT_MS,
        socketTimeoutMS=SOCKET_TIMEOUT_MS,
        w="majority",
        journal=True,
    )
    try:
        yield client
    finally:
        await client.close()


async def prepare(client: Client) -> Database:
    """The database with its indexes and sample data, which are added where missing and never reset."""
    # A service that was killed leaves its transactions open on the engine, where they would block their
    # nights for a minute. Those of other instances that are cut off here are tried again by their owners.
    await client.admin.command("killAllSessions", [])
    database = client.get_default_database(DEFAULT_DATABASE)
    await database.stays.create_index(
        [("status", ASCENDING), ("expires_at", ASCENDING)],
        name="due",
        partialFilterExpression={"status": "held"},
    )
    await database.stays.create_index([("status", ASCENDING), ("_id", ASCENDING)], name="status")
    await database.stays.create_index("untold", name="untold", partialFilterExpression={"untold": True})
    await database.hotels.bulk_write([_added(*hotel) for hotel in HOTELS.items()], ordered=False)
    return database


def _added(hotel_id: str, price_and_rooms: tuple[int, int]) -> UpdateOne:
    price_minor, rooms = price_and_rooms
    sample = {"price_minor": price_minor, "currency": CURRENCY, "rooms": rooms}
    return UpdateOne({"_id": hotel_id}, {"$setOnInsert": sample}, upsert=True)
