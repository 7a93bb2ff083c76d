"""Debian's pgbouncer before a PostgreSQL, in transaction mode."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from stack.ports import free_port, is_taken

SERVERS = 3
"""Fewer than callers, so that a caller meets another server at almost every transaction."""

START_TIMEOUT_S = 10
UNPRIVILEGED = "nobody"  # pgbouncer does not run as root

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
REMEDY = "no pgbouncer: install one (apt-get install pgbouncer)"

needs_pgbouncer = pytest.mark.skipif(PROGRAM is None, reason=REMEDY)


@contextmanager
def pgbouncer(database_url: str) -> Iterator[str]:
    """The URL at which a pgbouncer of its own leads to the database."""
    assert PROGRAM is not None, REMEDY
    server, port = urlsplit(database_url), free_port()
    name = server.path.removeprefix("/")
    password = f"password={server.password}" if server.password else ""
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as place:
        Path(place).chmod(0o755)
        settings = Path(place, "pgbouncer.ini")
        settings.write_text(f"""
[databases]
{name} = host={server.hostname} port={server.port} dbname={name} user={server.username} {password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {SERVERS}
server_round_robin = 1
""")
        user = UNPRIVILEGED if os.geteuid() == 0 else None
        process = subprocess.Popen([PROGRAM, "-q", str(settings)], user=user, stderr=subprocess.DEVNULL)
        try:
            _await_listening(process, port)
            yield f"postgresql://{server.username}@127.0.0.1:{port}/{name}"
        finally:
            process.kill()
            process.wait()


def _await_listening(process: "subprocess.Popen[bytes]", port: int) -> None:
    ends = time.monotonic() + START_TIMEOUT_S
    while not is_taken(port):
        assert process.poll() is None, "pgbouncer has ended"
        assert time.monotonic() < ends, "pgbouncer does not listen"
        time.sleep(0.02)
