"""Debian's pgbouncer before a PostgreSQL, in transaction mode.

The record of tests/record and that of the system which tests share are reached through it. Systems that tests
start for themselves reach theirs directly, so that both ways are tested. With `POOLER=all` every system
reaches its record through a pgbouncer, and with `POOLER=none` none does.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg

from record.pool import Pool, open_pool
from stack.parent import die_with_parent
from stack.ports import LOOPBACK, free_port, is_taken

SERVERS = 2
"""At least so many, in turn, so that a caller alone meets another server at each transaction, too."""

CLIENTS = 1000
RETRY_S = 0.1
"""Soon, since tests take PostgreSQL away; by default it would not be asked again for 15 s."""

START_TIMEOUT_S = 10
UNPRIVILEGED = "nobody"  # pgbouncer does not run as root

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
REMEDY = "no pgbouncer: install one (apt-get install pgbouncer)"

CHOICE = os.environ.get("POOLER", "shared")
assert CHOICE in ("all", "shared", "none"), f"POOLER={CHOICE}"
assert PROGRAM or CHOICE != "all", REMEDY

IS_SHARED = PROGRAM is not None and CHOICE != "none"
"""Whether what tests share is reached through a pooler."""
IS_EVERYWHERE = CHOICE == "all"


def settings(database_url: str, port: int) -> str:
    """A pgbouncer's configuration. The URL's search path is that of every server's session."""
    database = urlsplit(database_url)
    reached = {
        "host": database.hostname,
        "port": database.port,
        "user": database.username,
        "password": database.password,
    }
    if path := parse_qs(database.query).get("search_path"):
        reached["connect_query"] = f"'set search_path = {path[0]}'"
    entry = " ".join(f"{name}={value}" for name, value in reached.items() if value)
    return f"""
[databases]
{_name(database_url)} = {entry}
[pgbouncer]
listen_addr = {LOOPBACK}
listen_port = {port}
unix_socket_dir =
auth_type = any
admin_users = {database.username}
pool_mode = transaction
min_pool_size = {SERVERS}
max_client_conn = {CLIENTS}
server_round_robin = 1
server_login_retry = {RETRY_S}
"""


def command(file: Path) -> list[str]:
    """The command line of a pgbouncer with this configuration."""
    assert PROGRAM is not None, REMEDY
    return [PROGRAM, "-q", str(file)]


def pooled(database_url: str, port: int) -> str:
    """The URL at which the pgbouncer on this port leads to the database."""
    return f"postgresql://{urlsplit(database_url).username}@{LOOPBACK}:{port}/{_name(database_url)}"


def _name(database_url: str) -> str:
    return urlsplit(database_url).path.removeprefix("/")


@contextmanager
def pgbouncer(database_url: str) -> Iterator[str]:
    """The URL at which a pgbouncer of its own leads to the database."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as place:
        Path(place).chmod(0o755)
        file = Path(place, "pgbouncer.ini")
        file.write_text(settings(database_url, port))
        user = UNPRIVILEGED if os.geteuid() == 0 else None
        process = subprocess.Popen(
            command(file),
            user=user,
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - a call of the kernel alone
        )
        try:
            _await_listening(process, port)
            yield pooled(database_url, port)
        finally:
            process.kill()
            process.wait()


def _await_listening(process: "subprocess.Popen[bytes]", port: int) -> None:
    ends = time.monotonic() + START_TIMEOUT_S
    while not is_taken(port):
        assert process.poll() is None, "pgbouncer has ended"
        assert time.monotonic() < ends, "pgbouncer does not listen"
        time.sleep(0.02)


@dataclass(frozen=True)
class Way:
    """How a record is reached: at its own URL or at a pooler's."""

    url: str
    is_pooled: bool = False

    def open(self, size: int = 10) -> Pool:
        """A pool of connections."""
        return open_pool(self.url, size, through_pooler=self.is_pooled)


@contextmanager
def shared(database_url: str) -> Iterator[Way]:
    """How tests reach a record that they share."""
    if not IS_SHARED:
        yield Way(database_url)
        return
    with pgbouncer(database_url) as url:
        yield Way(url, is_pooled=True)


async def reconnect(url: str) -> None:
    """Have the pooler at the URL take new servers, as whoever switches over to another PostgreSQL does."""
    console = await asyncpg.connect(urlsplit(url)._replace(path="/pgbouncer").geturl(), timeout=10)
    try:
        await console.execute("reconnect")
    finally:
        await console.close(timeout=5)
