"""A start on a database with the wrong schema says so; a newer schema knows the last release's statements."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from record.schema import MIGRATIONS, WrongSchema, check, wanted
from stack.chosen import free_ports
from stack.system import System
from tests.guard.own_postgres import OwnPostgres
from tests.patience import PATIENCE_S
from tests.record.empty import empty_schema
from tests.record.statements import kept


@pytest.fixture
async def url(server: OwnPostgres) -> AsyncIterator[str]:
    async with empty_schema(server.database_url) as found:
        yield found


async def applied(url: str, versions: list[str]) -> None:
    """Have the database say that these migrations were applied, as dbmate does."""
    connection = await asyncpg.connect(url, timeout=PATIENCE_S)
    await connection.execute("create table schema_migrations (version varchar primary key)")
    await connection.executemany("insert into schema_migrations values ($1)", [(one,) for one in versions])
    await connection.close(timeout=PATIENCE_S)


async def test_a_database_without_a_schema_is_refused(url: str) -> None:
    with pytest.raises(WrongSchema, match=rf"schema of nothing, .*{wanted()[-1]}.*dbmate .*migrate"):
        await check(url)


async def test_an_older_schema_is_refused_by_name(url: str) -> None:
    await applied(url, wanted()[:-1])
    with pytest.raises(WrongSchema, match=rf"schema {wanted()[-2]}, .*needs {wanted()[-1]} \(1 "):
        await check(url)


async def test_its_own_schema_and_a_newer_one_will_do(url: str) -> None:
    await applied(url, [*wanted(), "29990101000000"])
    await check(url)


async def test_a_database_that_is_away_may_come_later() -> None:
    await check("postgresql://nobody@127.0.0.1:1/nothing")


async def test_the_statements_of_the_last_release_are_still_known(server: OwnPostgres) -> None:
    connection = await asyncpg.connect(server.database_url, timeout=PATIENCE_S)
    try:
        for place, statement in kept().items():
            assert await connection.prepare(statement), place
    finally:
        await connection.close(timeout=PATIENCE_S)


async def test_migrations_give_up_a_lock_that_they_wait_for(url: str, tmp_path: Path) -> None:
    """Else every statement that comes later waits behind them."""
    part = next(part for part in System(tmp_path, free_ports()).parts() if part.name == "migrate")
    migrations = tmp_path / "migrations"
    migrations.mkdir()
    told = "create table told as select current_setting('lock_timeout') as lock_timeout;"
    (migrations / "1_told.sql").write_text(f"-- migrate:up\n{told}\n-- migrate:down\n")
    command = [word if word != str(MIGRATIONS) else str(migrations) for word in part.command]
    env = os.environ | part.env | {"DATABASE_URL": f"{url}&sslmode=disable"}
    done = await asyncio.to_thread(
        subprocess.run, command, env=env, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    connection = await asyncpg.connect(url, timeout=PATIENCE_S)
    assert await connection.fetchval("select lock_timeout from told") == "5s"
    await connection.close(timeout=PATIENCE_S)
