"""Parts of a running system that do not answer for a while, or die."""

import contextlib
import os
import signal
from collections.abc import Iterator

import psutil

from tests.conftest import RunningSystem
from tests.system.test_supervision import eventually


@contextlib.contextmanager
def frozen(system: RunningSystem, *names: str) -> Iterator[None]:
    """The parts answer nothing while the context is open; the kernel still takes what they are sent."""
    pids = [system.pid(name) for name in names]
    processes = [each for pid in pids for each in (psutil.Process(pid), *psutil.Process(pid).children(True))]
    try:
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        yield
    finally:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)


async def kill(system: RunningSystem, name: str) -> None:
    """Kill a part and wait until the supervisor has started it again."""
    killed = system.pid(name)
    os.kill(killed, signal.SIGKILL)

    async def started_again() -> bool:
        try:
            return system.pid(name) != killed
        except (FileNotFoundError, ValueError):
            return False

    await eventually(started_again)
