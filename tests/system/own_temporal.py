"""A Temporal server of a test's own, whose database can be lost, and the command line of its operators."""

import asyncio
import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stack.ports import free_port
from stack.temporal import DYNAMIC, PROGRAM, command, garbage
from tests.patience import PATIENCE_S

BUSY_ATTEMPTS = 5


class OwnTemporal:
    """Started by hand, so that no supervisor starts it again."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.address = f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start the server as the embedded one, with workflow pause, which is experimental."""
        dynamic = DYNAMIC | {"frontend.WorkflowPauseEnabled": "true"}
        told = command(self._port, self._place / "temporal.db", dynamic)
        told += ["--headless", "--log-level", "never"]
        env = os.environ | garbage()
        self._process = subprocess.Popen(told, env=env, stdout=subprocess.DEVNULL)
        asks = [str(PROGRAM), "operator", "cluster", "health", "--address", self.address]
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            with contextlib.suppress(subprocess.TimeoutExpired):
                health = subprocess.run(asks, check=False, capture_output=True, timeout=PATIENCE_S)
                if health.returncode == 0:
                    return
            time.sleep(0.05)
        raise AssertionError("Temporal does not start")

    def stop(self) -> None:
        """Kill it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def lose_database(self) -> None:
        """To be called while the server is down."""
        for path in self._place.glob("temporal.db*"):
            path.unlink()

    async def command(self, *words: str) -> str:
        """Run `temporal …` as an operator does. Returns what it prints. A busy workflow is asked again."""
        for _ in range(BUSY_ATTEMPTS):
            code, out, error = await self._run(*words)
            if "Workflow is busy" not in error:
                break
        assert code == 0, f"temporal {' '.join(words)}: {error}"
        return out

    async def _run(self, *words: str) -> tuple[int | None, str, str]:
        process = await asyncio.create_subprocess_exec(
            PROGRAM, *words, "--address", self.address,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(PATIENCE_S):
            out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    async def described(self, *words: str) -> Any:
        """What the command prints as JSON."""
        return json.loads(await self.command(*words, "--output", "json"))


@contextlib.contextmanager
def own_temporal(place: Path) -> Iterator[OwnTemporal]:
    """A server that runs while the context is open."""
    place.mkdir(parents=True, exist_ok=True)
    server = OwnTemporal(place)
    server.start()
    try:
        yield server
    finally:
        server.stop()
