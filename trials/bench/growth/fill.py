"""Ended trips put straight into the stores, since booking 100,000 of them would take hours.

The record gets each trip with its events, and every partner its confirmed reservation. Stock, points and
Temporal stay as they are: they do not grow with the number of trips.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from partners.flight.engine import PREFIX
from partners.points.graph import Graph
from trials.filling import FILL_TIMEOUT_S, fill
from trials.world import World

BATCH = 5000

_EVENTS = """
    insert into trip_events (trip_id, version, trip, at)
    select trip_id, n, trip, created_at from trips, generate_series(0, 2) as n where trip_id like 'trip-%'
"""

_TOUR = """
    insert into tour.reservations (key, status, reference, item, days, units, amount_minor, currency,
                                   expires_at)
    select 'trip-' || lpad(n::text, 9, '0'), 'confirmed', 'TOUR-' || lpad(n::text, 12, '0'), 'BENCH-TOUR',
           array[current_date + n % 900], 2, 200, 'JPY', now()
    from generate_series(1, $1::int) as n
"""

_PAYMENTS = """
    with made as (
        insert into payment.reservations (key, status, reference, card_token, amount_minor, currency,
                                          expires_at)
        select 'trip-' || lpad(n::text, 9, '0'), 'confirmed', 'PAY-' || lpad(n::text, 12, '0'), 'tok_visa',
               650, 'JPY', now()
        from generate_series(1, $1::int) as n returning key)
    insert into payment.transfers (key, kind, from_account, to_account, currency, amount_minor)
    select key, kind, from_account, to_account, 'JPY', 650
    from made, (values ('authorise', 'cards', 'authorised'), ('capture', 'authorised', 'captured'))
        as moves (kind, from_account, to_account)
"""

_POINTS = """
    MATCH (member:Member {id: 'BENCH-MEMBER'})
    UNWIND $keys AS key
    CREATE (made:Reservation {
        key: key, status: 'confirmed', reference: key, amount_minor: -50, currency: 'JPY', expires_at: 0,
        member_id: 'BENCH-MEMBER', redeem: 50})
    CREATE (made)-[:DRAWS {points: 50}]->(member)
"""


async def fill_all(world: World, trips: int) -> None:
    record = await asyncpg.connect(world.database_url, timeout=10)
    try:
        await fill(record, trips, all_ended=True)
        await record.execute(_EVENTS, timeout=FILL_TIMEOUT_S)
        await record.execute("vacuum analyze trip_events", timeout=FILL_TIMEOUT_S)
    finally:
        await record.close(timeout=5)
    await _execute(world.engines["tour"], _TOUR, trips)
    await _execute(world.engines["payment"], _PAYMENTS, trips)
    for start in range(1, trips + 1, BATCH):
        batch = [f"trip-{number:09}" for number in range(start, min(start + BATCH, trips + 1))]
        await asyncio.gather(
            _fill_hotel(world.engines["hotel"], batch),
            _fill_flight(world.engines["flight"], batch),
            _fill_points(world.engines["points"], batch),
        )


async def _execute(url: str, statement: str, trips: int) -> None:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute(statement, trips, timeout=FILL_TIMEOUT_S)
    finally:
        await connection.close(timeout=5)


def _confirmed(key: str, price: int, **more: Any) -> dict[Any, Any]:
    return {"status": "confirmed", "reference": key, "amount_minor": price, "currency": "JPY", **more}


def _day(key: str) -> str:
    return f"2030-01-{int(key[-2:]) % 28 + 1:02}"


async def _fill_hotel(url: str, keys: Sequence[str]) -> None:
    async with AsyncMongoClient[dict[str, Any]](url, tz_aware=True, timeoutMS=60_000) as client:
        await client.get_default_database().stays.insert_many([_stay(key) for key in keys], ordered=False)


def _stay(key: str) -> dict[str, Any]:
    day, now = _day(key), datetime.now(UTC)
    body = {"hotel_id": "BENCH-HOTEL", "check_in": day, "check_out": "2030-02-01", "rooms": 1}
    times = {"expires_at": now, "confirmed_at": now}
    return _confirmed(key, 300, _id=key, nights=[f"BENCH-HOTEL/{day}"], rooms=1, body=body, **times)


async def _fill_flight(url: str, keys: Sequence[str]) -> None:
    client = Redis.from_url(url, socket_timeout=60)
    async with client, client.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.hset(f"{PREFIX}reservation:{key}", mapping=_seats(key))
        listed = dict.fromkeys(keys, 0)
        pipeline.zadd(f"{PREFIX}keys", listed)
        pipeline.zadd(f"{PREFIX}keys:confirmed", listed)
        await pipeline.execute()


def _seats(key: str) -> Mapping[Any, Any]:
    day = _day(key)
    stock = {"flight_no": "BENCH-FLIGHT", "date": day, "day": f"BENCH-FLIGHT/{day}", "seats": 2}
    return {"key": key} | _confirmed(key, 200, expires_at=0, **stock)


async def _fill_points(url: str, keys: Sequence[str]) -> None:
    async with Redis.from_url(url, socket_timeout=60) as client:
        await Graph(client).write(_POINTS, {"keys": list(keys)})
