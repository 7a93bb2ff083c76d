"""Whether the database has the schema that this version needs.

A newer one will do: each migration leaves what older versions use as it is.
"""

from pathlib import Path

from record.pool import PoolerFound, RecordAway, as_record_away, connect

MIGRATIONS = Path(__file__).parent / "migrations"
COMMAND = f"dbmate --migrations-dir {MIGRATIONS} --no-dump-schema migrate"


class WrongSchema(Exception):
    """A process started before its database was migrated."""


def wanted() -> list[str]:
    """The versions of all migrations, oldest first."""
    return sorted(file.name.partition("_")[0] for file in MIGRATIONS.glob("*.sql"))


async def check(url: str) -> None:
    """Look at the database once, when a process starts. One that is away may come later.

    Raises PoolerFound if a pooler answers where notices are to be heard, and WrongSchema if a migration is
    missing.
    """
    try:
        found = await _found(url)
    except PoolerFound:
        raise
    except RecordAway:
        return
    missing = sorted(set(wanted()) - set(found))
    if missing:
        raise WrongSchema(
            f"the database has the schema {max(found, default='of nothing')}, and this version needs "
            f"{missing[-1]} ({len(missing)} migrations are missing); run: DATABASE_URL=… {COMMAND}"
        )


async def _found(url: str) -> list[str]:
    connection = await connect(url)
    try:
        with as_record_away():
            if await connection.fetchval("select to_regclass('schema_migrations')") is None:
                return []
            rows = await connection.fetch("select version from schema_migrations")
            return [row["version"] for row in rows]
    finally:
        connection.terminate()
