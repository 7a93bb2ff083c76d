"""The front door and the command of tokens as processes, told where their PostgreSQL is and nothing else."""

import asyncio
import contextlib
import os
import subprocess
import sys
from asyncio.subprocess import STDOUT
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from stack.ports import free_port
from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parent.parent.parent
BIN = Path(sys.executable).parent
LOOK_EVERY_S = 0.05


def _environment(told: dict[str, str]) -> dict[str, str]:
    own = ("TRIPS_", "TEMPORAL_", "DATABASE_", "OTEL_")
    return {name: value for name, value in os.environ.items() if not name.startswith(own)} | told


def run(command: Sequence[str], **told: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env=_environment(told),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def access(database_url: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run `python -m api.tokens`."""
    return run([sys.executable, "-m", "api.tokens", *words], DATABASE_URL=database_url)


@dataclass(frozen=True)
class FrontDoor:
    """A front door whose Temporal and partners are away, and what it has logged."""

    url: str
    http: aiohttp.ClientSession
    log: Path

    async def call(self, method: str, path: str, token: str | None, **options: Any) -> tuple[int, Any]:
        """A call with a token, or without: its status and its JSON."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.http.request(method, self.url + path, headers=headers, **options) as answer:
            return answer.status, await answer.json(content_type=None)


@contextlib.asynccontextmanager
async def front_door(
    database_url: str, http: aiohttp.ClientSession, log: Path, **told: str
) -> AsyncIterator[FrontDoor]:
    """A front door while the context is open; `told` are further variables."""
    port = free_port()
    # Temporal is looked for where nobody listens.
    places = {"DATABASE_URL": database_url, "TRIPS_API_PORT": str(port), "TEMPORAL_ADDRESS": "127.0.0.1:9"}
    with log.open("w") as lines:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "api",
            cwd=ROOT,
            env=_environment(places | told),
            stdout=lines,
            stderr=STDOUT,
        )
    door = FrontDoor(f"http://127.0.0.1:{port}", http, log)
    try:
        await _until_it_answers(door, process)
        yield door
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(PATIENCE_S):
            await process.wait()


async def _until_it_answers(door: FrontDoor, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while process.returncode is None:
            with contextlib.suppress(aiohttp.ClientError):
                if (await door.call("GET", "/healthz", None))[0] == 200:
                    return
            await asyncio.sleep(LOOK_EVERY_S)
    raise AssertionError(f"the front door ended:\n{door.log.read_text()}")
