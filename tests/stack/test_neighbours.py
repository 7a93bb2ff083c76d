"""What another user of the machine can do to a running system: open no engine, read and write no file."""

import json
import os
import pwd
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import nats
import psutil
import pytest
from nats.errors import Error as NatsError
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError

from stack.passwords import passwords_of
from tests.conftest import RunningSystem
from tests.patience import PATIENCE_S

NEIGHBOUR = "nobody"

TRIES = """
import json, os, sys
paths, done = json.load(sys.stdin), []
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[1]))
for path in paths:
    ways = {"reads": (path, os.O_RDONLY), "writes": (path, os.O_WRONLY | os.O_APPEND)}
    ways["makes"] = os.path.join(path, "planted"), os.O_WRONLY | os.O_CREAT | os.O_EXCL
    for way, (name, flags) in ways.items():
        try:
            os.close(os.open(name, flags | os.O_NONBLOCK))
        except OSError:
            continue
        done.append([way, name])
print(json.dumps(done))
"""

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


async def asks_postgres(url: str) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(url, timeout=PATIENCE_S)


async def asks_mongo(url: str) -> None:
    async with AsyncMongoClient[dict[str, Any]](url) as client:
        with pytest.raises(OperationFailure, match=r"authenticat|Authentication"):
            await client.list_database_names()


async def asks_redis(url: str) -> None:
    async with Redis.from_url(url) as client:
        with pytest.raises(AuthenticationError):
            await client.get("anything")


async def asks_nats(url: str) -> None:
    with pytest.raises(NatsError, match="Authorization Violation"):
        await nats.connect(url, allow_reconnect=False, error_cb=_quiet)


async def _quiet(_error: Exception) -> None:
    pass


ASKS: dict[str, Callable[[str], Awaitable[None]]] = {
    "postgresql": asks_postgres,
    "mongodb": asks_mongo,
    "redis": asks_redis,
    "nats": asks_nats,
}


def known_by(url: str, *words: str) -> str:
    """The URL with these words as user and password."""
    parts = urlsplit(url)
    place = f"{parts.hostname}:{parts.port}"
    return urlunsplit(parts._replace(netloc=f"{':'.join(words)}@{place}" if words else place, query=""))


def urls(system: RunningSystem) -> dict[str, str]:
    return {**system.engines, "record": system.database_url, "broker": system.nats}


@pytest.mark.parametrize("name", ["hotel", "tour", "flight", "points", "payment", "record", "broker"])
async def test_an_engine_lets_nobody_in_without_its_password(system: RunningSystem, name: str) -> None:
    url = urls(system)[name]
    asks, user = ASKS[urlsplit(url).scheme], urlsplit(url).username or ""
    await asks(known_by(url, user, "wrong"))
    if user in ("", "partners", "trips"):
        await asks(known_by(url))
    if url.startswith("postgresql:"):
        await asks(known_by(url, "postgres", ""))


def test_no_password_shows_in_the_list_of_processes_or_in_the_log(system: RunningSystem) -> None:
    secrets = {urlsplit(url).password for url in urls(system).values()}
    secrets |= {passwords_of(system.data_dir).key, urlsplit(system.superuser_url).password}
    assert None not in secrets
    supervisor = psutil.Process(system.process.pid)
    shown = [word for one in supervisor.children(recursive=True) for word in one.cmdline()]
    shown += (system.data_dir / "system.log").read_text().splitlines()
    assert [secret for secret in secrets if any(str(secret) in word for word in shown)] == []


@only_root
def test_another_user_reads_and_writes_nothing(system: RunningSystem, tmp_path: Path) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.write_text("x")
    open_to_all.chmod(0o644)
    for place in (tmp_path, *tmp_path.parents):
        mode = place.stat().st_mode
        if not mode & stat.S_IXOTH:
            place.chmod(mode | stat.S_IXOTH)
    here = system.data_dir
    paths = [here, *here.rglob("*")]
    assert {"tokens.json", "engines.key", "temporal.db", "pg_hba.conf", "redis.conf", "nats.conf"} <= {
        path.name for path in paths
    }
    account = pwd.getpwnam(NEIGHBOUR)
    tried = subprocess.run(
        [sys.executable, "-c", TRIES, str(account.pw_uid), str(account.pw_gid)],
        input=json.dumps([str(path) for path in (open_to_all, *paths)]),
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    assert json.loads(tried.stdout) == [["reads", str(open_to_all)]]


@only_root
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_postgresql_keeps_nothing_of_root(system: RunningSystem) -> None:
    process = psutil.Process(system.pid("postgres"))
    status = Path(f"/proc/{process.pid}/status").read_text()
    groups = next(line.split()[1:] for line in status.splitlines() if line.startswith("Groups:"))
    assert groups in ([], [str(process.gids().real)])
    assert 0 not in (*process.uids(), *process.gids())
