"""Bounded access to PostgreSQL, and the schema that a partner has there."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from serving.postgres import drop_if_read_only, reset_nothing

POOL_SIZE = 10
ACQUIRE_TIMEOUT_S = 2.0
COMMAND_TIMEOUT_S = 3.0
CONNECT_TIMEOUT_S = 5.0

PARTICIPATION = Path(__file__).with_name("participation.sql")


@asynccontextmanager
async def opened_pool(engine_url: str, schema: str, script: Path) -> AsyncIterator[asyncpg.Pool]:
    """A pool on a database that has `schema`, made by `script` if it was missing.

    `{schema}` in the script stands for its name.
    """
    scripts = {"reservations": script, "heard": PARTICIPATION}
    pool = await asyncpg.create_pool(
        engine_url,
        min_size=0,
        max_size=POOL_SIZE,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=COMMAND_TIMEOUT_S,
        reset=reset_nothing,
        server_settings={"application_name": f"partner-{schema}", "jit": "off"},
    )
    try:
        await _make_schema(pool, schema, scripts)
        yield pool
    finally:
        await close_pool(pool)


async def _make_schema(pool: asyncpg.Pool, schema: str, scripts: Mapping[str, Path]) -> None:
    """Run each script whose table is missing: all for a new schema, the later ones for an older one."""
    async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection, connection.transaction():
        # Instances that start together take turns, and only the first finds a table missing.
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", f"partners.{schema}")
        for table, script in scripts.items():
            if await connection.fetchval("SELECT to_regclass($1) IS NULL", f"{schema}.{table}"):
                sql = await asyncio.to_thread(script.read_text, "utf-8")
                await connection.execute(sql.replace("{schema}", schema))


async def close_pool(pool: asyncpg.Pool) -> None:
    """Close the pool's connections, by force if they do not come back in time."""
    try:
        async with asyncio.timeout(COMMAND_TIMEOUT_S):
            await pool.close()
    except TimeoutError:
        pool.terminate()


async def fetch(pool: asyncpg.Pool, sql: str, *arguments: object) -> list[asyncpg.Record]:
    """The rows of one statement, which is one transaction. Raises what is in AWAY."""
    async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
        try:
            return await connection.fetch(sql, *arguments)
        except asyncpg.PostgresError as error:
            await drop_if_read_only(pool, error)
            raise
