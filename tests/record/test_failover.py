"""A PostgreSQL that was the primary until a failover: it answers, and takes no writes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from record import trips
from record.pool import RecordAway, open_pool
from tests.conftest import RunningSystem
from tests.guard.own_postgres import OwnPostgres
from tests.partners.client import new_key, until
from tests.patience import PATIENCE_S
from tests.pooler import reconnect
from tests.record.test_accepting import request
from trials.orders import order
from trials.traveller import Traveller
from trip.trip import Booking

CONNECTIONS = 5


@asynccontextmanager
async def read_only(database_url: str, role: str) -> AsyncIterator[None]:
    """The role's sessions end, and those that begin meanwhile are read-only, also when this is left."""
    connection = await asyncpg.connect(database_url, timeout=PATIENCE_S)
    try:
        await connection.execute(f"alter role {role} set default_transaction_read_only = on")
        await connection.execute(
            """
            select pg_terminate_backend(pid) from pg_stat_activity
            where usename = $1 and pid <> pg_backend_pid()
            """,
            role,
        )
        yield
    finally:
        await connection.execute("set transaction_read_only = off")
        await connection.execute(f"alter role {role} reset default_transaction_read_only")
        await connection.close(timeout=PATIENCE_S)


@pytest.mark.direct("a pooler keeps its servers until it is told to reconnect")
async def test_the_record_is_away_once_and_then_reached_anew(server: OwnPostgres) -> None:
    async with open_pool(server.database_url, size=CONNECTIONS) as pool:
        async with read_only(server.database_url, "postgres"):
            held = [await pool.acquire() for _ in range(CONNECTIONS)]
            for connection in held:
                await pool.release(connection)
        with pytest.raises(RecordAway):
            await trips.accept(pool, request())
        for _ in range(CONNECTIONS):
            assert isinstance(await trips.accept(pool, request()), Booking)


BODIES = {
    "tour": order()["tour"],
    "payment": {"card_token": "tok_visa", "amount_minor": 1, "currency": "JPY"},
}


@pytest.mark.parametrize("role", ["trips", *BODIES])
async def test_a_system_is_unavailable_and_then_well(
    system: RunningSystem, traveller: Traveller, role: str
) -> None:
    async def asked() -> tuple[int, str | None]:
        if role == "trips":
            status, answer = await traveller.call("POST", "/trips", json=order())
        else:
            url = f"{system.partners[role]}/reservations/{new_key()}"
            async with traveller.http.put(url, json=BODIES[role]) as answered:
                status, answer = answered.status, await answered.json()
        return status, answer.get("code")

    async def well() -> bool:
        status, _ = await asked()
        assert status in (201, 202, 503)
        return status < 300

    async with read_only(system.superuser_url, role):
        for _ in range(2 * CONNECTIONS):
            status, code = await asked()
            assert (status, code) == (503, "record_unavailable" if role == "trips" else "engine_unavailable")
    if system.pooled_url:
        await reconnect(system.pooled_url)
    await until(well)
