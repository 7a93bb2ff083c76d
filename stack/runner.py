"""Runs a whole system until it is told to stop."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from pydantic import ValidationError

from stack.lock import InUseError, locked
from stack.place import PlaceError, files_for_nobody_else
from stack.ports import PortTakenError
from stack.postgres import ClusterError
from stack.supervisor import Say, StartError, Supervisor
from stack.system import System


@contextlib.asynccontextmanager
async def running(system: System, say: Say, stop: asyncio.Event) -> AsyncIterator[None]:
    """Keep the system up while the context is open. If `stop` is set during the start, enter at once.

    Raises StartError, ClusterError, InUseError, PlaceError.
    """
    with files_for_nobody_else():
        system.shut()
        async with _supervised(system, say, stop):
            yield


@contextlib.asynccontextmanager
async def _supervised(system: System, say: Say, stop: asyncio.Event) -> AsyncIterator[None]:
    with locked(system.run_dir):
        supervisor = Supervisor(system.parts(), system.run_dir, say)
        supervisor.check_ports()
        await system.prepare()
        try:
            await _unless(stop, supervisor.start())
            yield
        finally:
            await supervisor.stop()


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        # Also if the caller is cancelled: nothing goes on to start after the supervisor has stopped.
        for task in (working, stopping):
            task.cancel()
        await asyncio.wait([working, stopping])
    if not working.cancelled():
        working.result()


def stop_event() -> asyncio.Event:
    """Set by SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def exit_status(command: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run a command. Print an error that its user can mend as one line, not as a stack trace."""
    try:
        return asyncio.run(command())
    except (StartError, ClusterError, InUseError, PlaceError, PortTakenError) as error:
        print(error, file=sys.stderr)
    except ValidationError as error:
        for found in error.errors():
            print(f"TRIPS_{str(found['loc'][0]).upper()}: {found['msg']}", file=sys.stderr)
    return 1
