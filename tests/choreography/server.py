"""A broker of the tests' own, which they may kill, stop and start again."""

import asyncio
import os
import signal
import subprocess
from pathlib import Path

from stack.nats import nats_part, prepare, url
from stack.ports import free_port
from tests.patience import PATIENCE_S

PASSWORD = "1234567890"


class Server:
    """A nats-server on a free port, with its data in `place`."""

    def __init__(self, place: Path) -> None:
        self.port = free_port()
        self.url = url(self.port, PASSWORD)
        prepare(place, self.port, PASSWORD)
        self._part = nats_part(place, self.port)
        self._log = place / "nats.log"

    async def start(self) -> None:
        """Returns when the server answers."""
        with self._log.open("a") as log:
            self._process = subprocess.Popen(self._part.command, stderr=log)  # noqa: ASYNC220 - a moment
        async with asyncio.timeout(PATIENCE_S):
            while not await self._part.ready():
                await asyncio.sleep(0.01)

    def send(self, number: signal.Signals) -> None:
        """Send the process a signal. Returns when the process has ended, if the signal ends it."""
        self._process.send_signal(number)
        if number is signal.SIGSTOP:
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)
        if number in (signal.SIGKILL, signal.SIGTERM):
            self._process.wait(10)

    def stop(self) -> None:
        """End the process, also a stopped one."""
        self.send(signal.SIGKILL)
