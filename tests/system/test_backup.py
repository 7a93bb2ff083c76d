"""The record is restored to a moment by the commands of docs/backup.md, and audited."""

import asyncio
import json
import os
import pwd
import re
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from stack.ports import free_port
from stack.system import ROOT
from tests.conftest import RunningSystem
from tests.guard.own_postgres import BIN, UNPRIVILEGED
from tests.patience import PATIENCE_S
from trials.orders import own_order
from trials.traveller import Traveller

PAGE = ROOT / "docs" / "backup.md"
USER = UNPRIVILEGED if os.geteuid() == 0 else None


def commands() -> dict[str, str]:
    """Each command of the page, by the name that its test uses."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return dict(zip(("slot", "archive", "backup", "restore", "audit"), blocks, strict=True))


class Shell:
    """Runs the page's commands with its variables."""

    def __init__(self, place: Path, superuser_url: str) -> None:
        self.port = free_port()
        self.env = os.environ | {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "SUPERUSER_URL": superuser_url,
            "ARCHIVE": str(place / "archive"),
            "BACKUP": str(place / "backup"),
            "RESTORED": str(place / "restored"),
            "RESTORED_PORT": str(self.port),
        }
        for name in ("ARCHIVE", "BACKUP"):
            Path(self.env[name]).mkdir(mode=0o700)
        if USER is not None:
            for path in (place, *place.iterdir()):
                os.chown(path, pwd.getpwnam(USER).pw_uid, -1)

    def run(self, name: str) -> None:
        self.do(commands()[name])

    def do(self, command: str) -> None:
        done = subprocess.run(
            command, shell=True, env=self.env, user=USER, cwd="/", timeout=PATIENCE_S, check=False,
            capture_output=True, text=True,
        )  # fmt: skip
        log = Path(f"{self.env['RESTORED']}.log")
        said = log.read_text() if log.exists() else ""
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}{said}"

    @contextmanager
    def archiving(self) -> Iterator[None]:
        """The archive's service runs while the context is open."""
        self.run("slot")
        service = subprocess.Popen(
            commands()["archive"], shell=True, env=self.env, user=USER, cwd="/", stderr=subprocess.DEVNULL
        )
        try:
            yield
        finally:
            service.terminate()
            service.wait()
            self.do('pg_receivewal --dbname "$SUPERUSER_URL" --slot trips_archive --drop-slot')


@pytest.fixture
def shell(system: RunningSystem) -> Iterator[Shell]:
    with tempfile.TemporaryDirectory(prefix="backup-") as place:
        yield Shell(Path(place), system.superuser_url)


@asynccontextmanager
async def restored(shell: Shell, record_url: str) -> AsyncIterator[str]:
    """The URL of the restored record."""
    await asyncio.to_thread(shell.run, "restore")
    try:
        parts = urlsplit(record_url)
        yield parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{shell.port}").geturl()
    finally:
        await asyncio.to_thread(shell.do, 'pg_ctl stop --mode immediate --silent --pgdata "$RESTORED"')


async def audited(system: RunningSystem, database_url: str) -> set[str]:
    """The keys that the page's audit finds reserved, and no trip in the record for them."""
    process = await asyncio.create_subprocess_shell(
        commands()["audit"],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database_url, "TRIPS_DATA_DIR": str(system.data_dir)},
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE_S):
        output, _ = await process.communicate()
    assert process.returncode in (0, 1), "0 or discrepancies"
    found = json.loads(output)["discrepancies"]
    return {one["subject"] for one in found if one["code"] == "without_trip"}


async def booked(traveller: Traveller) -> set[str]:
    """The ids of some confirmed trips."""
    trips = [await traveller.book(own_order(), wait=60) for _ in range(3)]
    assert {trip["status"] for trip in trips} == {"confirmed"}
    return {trip["trip_id"] for trip in trips}


async def test_the_record_comes_back_and_the_audit_lists_the_trips_since(
    system: RunningSystem, traveller: Traveller, shell: Shell
) -> None:
    record = await asyncpg.connect(system.database_url, timeout=PATIENCE_S)
    try:
        with shell.archiving():
            await asyncio.to_thread(shell.run, "backup")
            before = await booked(traveller)
            shell.env["MOMENT"] = str(await record.fetchval("select clock_timestamp()"))
            after = await booked(traveller)
            known = await audited(system, system.database_url)
            async with restored(shell, system.database_url) as url:
                found = await audited(system, url)
    finally:
        await record.close(timeout=PATIENCE_S)
    assert found - known == after
    assert not before & found
