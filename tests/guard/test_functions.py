"""guard/functions.sql is what a migrated database runs."""

import asyncpg

from tests.guard.fleet import System, drop_schema, functions, in_schema, make_schema
from tests.patience import PATIENCE_S

DEFINITIONS = """
    select p.oid::regprocedure::text as name, pg_get_functiondef(p.oid) as definition from pg_proc p
    where p.pronamespace = current_schema()::regnamespace and starts_with(p.proname, 'breaker_')
"""
DROP_ALL = """
    do $$ declare found regprocedure; begin
        for found in select oid from pg_proc where pronamespace = current_schema()::regnamespace loop
            execute 'drop function ' || found;
        end loop;
    end $$
"""


async def definitions(database_url: str) -> dict[str, str]:
    connection = await asyncpg.connect(database_url, timeout=PATIENCE_S, command_timeout=PATIENCE_S)
    try:
        schema = await connection.fetchval("select current_schema()")
        rows = await connection.fetch(DEFINITIONS)
    finally:
        await connection.close(timeout=PATIENCE_S)
    return {row["name"]: row["definition"].replace(f"{schema}.", "") for row in rows}


async def test_a_migrated_database_runs_these_functions(system: System) -> None:
    schema = await make_schema(system.database_url, DROP_ALL, functions())
    written = await definitions(in_schema(system.database_url, schema))
    await drop_schema(system.database_url, schema)
    migrated = await definitions(system.database_url)
    assert len(migrated) == functions().count("create or replace function")
    assert written == migrated
