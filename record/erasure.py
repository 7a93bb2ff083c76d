"""Takes travellers out of trips that have ended. What was booked stays, so that stores can be compared."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from partners.erasing import without_parts
from record.pool import Pool, connected
from record.trips import FINAL
from trip.erasing import without_traveller, without_words
from trip.partner import Partner

BATCH = 50


class Forget(NamedTuple):
    """How others forget trips that have ended. They do before the record, so that a failure can be repeated.

    `workflows` deletes those of these trips. `reservations` has the partners of each trip erase its own.
    """

    workflows: Callable[[Sequence[str]], Awaitable[None]]
    reservations: Callable[[Mapping[str, Sequence[Partner]]], Awaitable[None]]


ASKED = "array(select key from json_each(booking -> 'order') where json_typeof(value) = 'object') as asked"
"""The names of a trip's partners, and of what else its order has."""

_TENANTS = """
    with recursive tenants as (
        (select tenant from trips order by tenant limit 1)
        union all
        select (select tenant from trips where tenant > tenants.tenant order by tenant limit 1)
        from tenants where tenant is not null)
    select tenant from tenants where tenant is not null
    """

_OF_TRAVELLER = "tenant = $1 and lower(booking -> 'order' -> 'traveller' ->> 'email') = lower($2)"

_ENDED = f"""
    select trip_id, coordination, {ASKED} from trips
    where {_OF_TRAVELLER} and status = any($3) and erased_at is null limit $4
    """  # noqa: S608 - a constant

_NOT_ENDED = f"""
    select count(*) from trips where {_OF_TRAVELLER} and status <> all($3)
    """  # noqa: S608 - a constant

_LOCK = """
    select trip_id, booking, trip, ending, facts from trips
    where trip_id = any($1) and erased_at is null and status = any($2) order by trip_id for update
    """

# Who knows the rest of a body could find out from its hash whom it was for.
_ERASE = """
    update trips set booking = $2, trip = $3, ending = $4, facts = $5, body_hash = '', erased_at = now()
    where trip_id = $1
    """

_EVENTS = "select trip_id, version, trip from trip_events where trip_id = any($1)"
_ERASE_EVENT = "update trip_events set trip = $3 where trip_id = $1 and version = $2"

_MESSAGES = "select trip_id, message_id, body from trip_messages where trip_id = any($1)"
_ERASE_MESSAGE = "update trip_messages set body = $3 where trip_id = $1 and message_id = $2"

_ERASE_ATTEMPTS = "update attempts set error = 'erased' where trip_id = any($1)"

_STEPS = """
    select partner, key, note, refusal from adapter_steps
    where partner = any($1) and key = any($2) order by key, partner for update
    """
_ERASE_STEP = """
    update adapter_steps set note = $3, refusal = $4,
        body_hash = case when body_hash is not null then ''::bytea end
    where partner = $1 and key = $2
    """


@dataclass(frozen=True)
class Erasure:
    """How many trips a traveller was taken out of, and how many have not ended and are left as they are."""

    erased: int
    not_ended: int


async def erase(pool: Pool, email: str, tenant: str | None, forget: Forget) -> Erasure:
    """Take the traveller out of every trip that has ended, of one tenant or of all.

    The case of ASCII letters in `email` does not matter. What was done stays done if this fails, and the call
    can be repeated. Raises RecordAway, and what `forget` raises.
    """
    erased = not_ended = 0
    for owner in [tenant] if tenant is not None else await _tenants(pool):
        while rows := await _ended(pool, owner, email):
            erased += await erase_trips(pool, await forgotten(rows, forget))
        async with connected(pool) as connection:
            not_ended += await connection.fetchval(_NOT_ENDED, owner, email, FINAL)
    return Erasure(erased, not_ended)


async def erase_trips(pool: Pool, trip_ids: Sequence[str]) -> int:
    """Take the travellers out of those of these trips that have ended. Returns how many these are."""
    async with connected(pool) as connection, connection.transaction():
        rows = await connection.fetch(_LOCK, trip_ids, FINAL)
        await connection.executemany(_ERASE, [_erased(row) for row in rows])
        found = [row["trip_id"] for row in rows]
        await _erase_words(connection, _EVENTS, _ERASE_EVENT, found)
        await _erase_words(connection, _MESSAGES, _ERASE_MESSAGE, found)
        await connection.execute(_ERASE_ATTEMPTS, found)
        steps = await connection.fetch(_STEPS, [partner.value for partner in Partner], found)
        await connection.executemany(_ERASE_STEP, [_erased_step(step) for step in steps])
    return len(rows)


async def _tenants(pool: Pool) -> list[str]:
    async with connected(pool) as connection:
        return [row["tenant"] for row in await connection.fetch(_TENANTS)]


async def _ended(pool: Pool, tenant: str, email: str) -> list[asyncpg.Record]:
    """A batch of the traveller's trips. One that was erased is the traveller's no more."""
    async with connected(pool) as connection:
        return await connection.fetch(_ENDED, tenant, email, FINAL, BATCH)


async def forgotten(rows: Sequence[asyncpg.Record], forget: Forget) -> list[str]:
    """The ids of trips that others have forgotten."""
    if carried := [row["trip_id"] for row in rows if row["coordination"] == "orchestration"]:
        await forget.workflows(carried)
    await forget.reservations(
        {row["trip_id"]: [partner for partner in Partner if partner in row["asked"]] for row in rows}
    )
    return [row["trip_id"] for row in rows]


def _erased(row: asyncpg.Record) -> tuple[Any, ...]:
    booking = without_traveller(row["booking"])
    return row["trip_id"], booking, *(without_words(row[name]) for name in ("trip", "ending", "facts"))


async def _erase_words(
    connection: PoolConnectionProxy, find: str, write: str, trip_ids: Sequence[str]
) -> None:
    rows = await connection.fetch(find, trip_ids)
    await connection.executemany(write, [(*row[:2], without_words(row[2])) for row in rows])


def _erased_step(step: asyncpg.Record) -> tuple[Any, ...]:
    note = step["note"] and without_parts(step["note"])
    return step["partner"], step["key"], note, without_words(step["refusal"])
