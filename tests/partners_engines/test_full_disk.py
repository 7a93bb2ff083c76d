"""An engine whose disk is full: the partner answers 503 and loses nothing, and is well with room again."""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp
import pytest

from partners.app import create_app
from tests.partners.client import Client, new_key, until
from tests.partners_engines.cases import CASES
from tests.partners_engines.engines import Engine, opened, running_engine_in
from tests.serving import served

CASE_OF = {case.service.declaration.name: case for case in CASES}
ONCE_A_SECOND = ("--appendfsync", "everysec")
"""Redis goes on when it cannot write its log, and refuses writes. Otherwise it ends."""

HOLD_S = 900.0
MOST_CALLS = 2000


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A file system of this size."""
    with tempfile.TemporaryDirectory(prefix="small-disk-", ignore_cleanup_errors=True) as place:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", place]
        if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
            pytest.skip("no file system may be mounted here: run as root where that is allowed")
        try:
            yield Path(place)
        finally:
            subprocess.run(["umount", "--lazy", place], check=True)


@contextmanager
def filled(place: Path) -> Iterator[None]:
    """The file system has no room while the context is open."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    try:
        yield
    finally:
        filler.unlink()


@asynccontextmanager
async def partner(name: str, engine: Engine) -> AsyncIterator[Client]:
    """The partner's HTTP service on the engine."""
    service = CASE_OF[name].service
    async with (
        opened(service, engine, HOLD_S) as store,
        served(create_app(service, store)) as port,
        aiohttp.ClientSession() as http,
    ):
        yield Client(http, f"http://127.0.0.1:{port}")


async def held_until_full(client: Client, body: object) -> list[str]:
    """The keys that were held before the partner said that it cannot."""
    keys: list[str] = []
    for _ in range(MOST_CALLS):
        key = new_key()
        status, answer = await client.put(key, body)
        if status == 503:
            assert answer["code"] == "engine_unavailable"
            return keys
        assert status == 201, answer
        keys.append(key)
    raise AssertionError("the disk is not full")


@pytest.mark.server
@pytest.mark.parametrize(
    ("name", "megabytes", "options"),
    [
        ("flight", 4, ()),
        ("flight", 4, ONCE_A_SECOND),
        ("points", 8, ()),
        ("points", 8, ONCE_A_SECOND),
        ("hotel", 6, ()),
        ("car", 80, ()),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_a_full_disk(name: str, megabytes: int, options: tuple[str, ...]) -> None:
    declaration, body = CASE_OF[name].service.declaration, CASE_OF[name].plenty.model_dump(mode="json")
    with small_disk(megabytes) as disk:
        data = disk / "data"
        data.mkdir()
        async with (
            running_engine_in(data, declaration, *options) as engine,
            partner(name, engine) as client,
        ):
            with filled(disk):
                keys = await held_until_full(client, body)
                assert (await client.put(new_key(), body))[0] == 503
            if declaration.engine == "mongo":
                await engine.kill()  # it neither ends by itself nor serves again

            async def well() -> bool:
                if engine.process is not None and engine.process.returncode is not None:
                    await engine.start()
                status, _ = await client.put(new_key(), body)
                assert status in (201, 503)
                return status == 201

            await until(well)
            for key in keys:
                assert (await client.get(key))[1]["status"] == "held"
