"""A record full of trips, written by the database itself."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg

from record.pool import Pool
from trip.examples import example_order
from trip.order import TripOrder
from trip.trip import Booking, Links, StepStatus, Trip, TripStatus, new_trip

MIGRATIONS = Path(__file__).parents[1] / "record" / "migrations"
TENANT = "default"
AGENCY = "Agency@example.com"
UNDER_WAY = 2_000
"""So many of the newest are still being booked, and none of the others: no statistics tell of that."""

ONE_IN = 20_000
"""How rare it is that a trip needs attention."""

SPAN = timedelta(days=30)
"""The first trip is so old."""

AT_ONCE = 50_000
"""Trips that one statement writes."""

FILL_TIMEOUT_S = 120.0
VACUUM_TIMEOUT_S = 900.0

_FILL = """
    insert into trips (trip_id, tenant, body_hash, booking, trip, status, version,
                       created_at, updated_at, started_at, ended_at)
    select id, tenant, sha256(id::bytea), replace($1::text, 'EMAIL', email)::json,
           replace(replace($2::text, 'TRIP-ID', id), 'STATUS', status)::json, status, 9, at, at, at,
           case when status in ('confirmed', 'failed') then at end
    from generate_series($8::int, least($3::int, $8 + $9::int - 1)) as n,
         lateral (select 'trip-' || lpad(n::text, 9, '0') as id,
                         case when n % 10 = 0 then 'other' else 'default' end as tenant,
                         case when n % 10 = 3 then 'agency@EXAMPLE.com'
                              else 'traveller-' || n % 1000 || '@example.com' end as email,
                         case when n > $3 - $4::int then 'booking'
                              when n % $5::int = 3 then 'needs_attention'
                              when n % 40 = 2 then 'failed' else 'confirmed' end as status,
                         $6::timestamptz + n * ($7::interval / $3) as at) as one
    """

_EVENTS = """
    insert into trip_events (trip_id, version, trip, at)
    select trip_id, version - number, trip, created_at from trips, generate_series(0, $3::int - 1) as number
    where trip_id = any(array(
        select 'trip-' || lpad(n::text, 9, '0') from generate_series($1::int, $1 + $2::int - 1) as n))
    """

_ADD = """
    insert into trips (trip_id, tenant, body_hash, booking, trip, status, created_at, updated_at)
    select id, $1, '', replace($2::text, 'EMAIL', $3)::json, replace($4::text, 'TRIP-ID', id)::json, $5,
           clock_timestamp(), clock_timestamp()
    from (select gen_random_uuid()::text as id) as one
    """


async def migrate(connection: asyncpg.Connection) -> None:
    for file in sorted(MIGRATIONS.glob("*.sql")):
        await connection.execute(file.read_text().split("-- migrate:down")[0])


async def fill(connection: asyncpg.Connection, trips: int, events: int = 0) -> None:
    """Write so many trips, `trip-000000001` and so on, and so many `events` of each.

    Nine in ten are TENANT's, one in ten the AGENCY's.
    """
    documents, start = _documents(), datetime.now(UTC) - SPAN
    for first in range(1, trips + 1, AT_ONCE):
        about = (trips, UNDER_WAY, ONE_IN, start, SPAN, first, AT_ONCE)
        await connection.execute(_FILL, *documents, *about, timeout=FILL_TIMEOUT_S)
        if events:
            await connection.execute(_EVENTS, first, AT_ONCE, events, timeout=FILL_TIMEOUT_S)
    await connection.execute("vacuum analyze trips, trip_events", timeout=VACUUM_TIMEOUT_S)


async def add(pool: Pool, status: TripStatus) -> None:
    """Write one more trip of the AGENCY."""
    booking, trip = _documents()
    await pool.execute(_ADD, TENANT, booking, AGENCY, trip, status.value)


def _documents() -> tuple[str, str]:
    """A booking and its trip as JSON, with EMAIL, TRIP-ID and STATUS to be replaced."""
    now = datetime.now(UTC)
    links = Links(self_="/trips/TRIP-ID", events="/trips/TRIP-ID/events", temporal_ui="http://ui/TRIP-ID")
    order = TripOrder.model_validate(example_order(now.date()))
    booking = Booking(trip_id="TRIP-ID", tenant=TENANT, order=order, accepted_at=now, links=links)
    trip = new_trip(booking)
    for step in trip.steps:
        step.status, step.reference, step.amount_minor = StepStatus.CONFIRMED, "REF-0123456789AB", 10_000
        step.attempts, step.held_at = 1, now
    return _text(booking).replace("ada@example.com", "EMAIL"), _text(trip)


def _text(document: Booking | Trip) -> str:
    text = json.dumps(document.model_dump(mode="json"))
    return text.replace('"status": "booking"', '"status": "STATUS"')
