"""The engines take new passwords if the key is lost, or was never there."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure

from stack import mongo, postgres
from stack.passwords import KEY_FILE, Passwords, keep, passwords_of
from stack.ports import free_port
from tests.partners_engines.engines import Engine
from tests.patience import PATIENCE_S
from trials.polling import until

SOME = Passwords("a key", is_new=True)
OTHERS = Passwords("another key", is_new=True)


def test_the_key_is_drawn_once(tmp_path: Path) -> None:
    drawn = passwords_of(tmp_path)
    assert drawn.is_new
    assert drawn.key != passwords_of(tmp_path).key
    keep(tmp_path, drawn)
    kept = passwords_of(tmp_path)
    assert (kept.key, kept.is_new) == (drawn.key, False)
    assert kept.of("trips") == drawn.of("trips") != kept.of("postgres")
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600


async def let_in(port: int, passwords: Passwords) -> bool:
    try:
        url = postgres.url(port, postgres.SUPERUSER, passwords.of(postgres.SUPERUSER), "postgres")
        await (await asyncpg.connect(url, timeout=PATIENCE_S)).close()
    except (asyncpg.InvalidPasswordError, asyncpg.CannotConnectNowError, OSError):
        return False
    return True


@pytest.mark.server
async def test_postgresql_is_told_anew(tmp_path: Path) -> None:
    for passwords, before in ((SOME, OTHERS), (OTHERS, SOME)):
        await postgres.prepare(tmp_path, passwords)
        async with running(lambda port: postgres.command(tmp_path, port), postgres.system_user()) as port:

            async def opens(passwords: Passwords = passwords, port: int = port) -> bool:
                return await let_in(port, passwords)

            await until(opens, 60)
            assert not await let_in(port, before)
        # As a version before passwords has left the cluster.
        (tmp_path / "pg_hba.conf").write_text("host all all 127.0.0.1/32 trust\n")


@asynccontextmanager
async def running(command: Callable[[int], list[str]], user: str | None = None) -> AsyncIterator[int]:
    port = free_port()
    server = Engine("", command(port), user)
    await server.start()
    try:
        yield port
    finally:
        await server.kill()


async def counted(port: int, password: str) -> int:
    async with AsyncMongoClient[dict[str, Any]](mongo.url(port, password, "hotel")) as client:
        stays = client.get_default_database().stays
        await stays.insert_one({})
        return await stays.count_documents({})


@pytest.mark.server
async def test_the_document_store_is_told_anew_and_keeps_its_documents(tmp_path: Path) -> None:
    for number, password in enumerate(("one", "two"), 1):
        await mongo.prepare(tmp_path, password, is_new=True)
        async with running(lambda port: mongo.command(tmp_path, port, "--auth")) as port:
            assert await counted(port, password) == number
            if number == 2:
                with pytest.raises(OperationFailure):
                    await counted(port, "one")
