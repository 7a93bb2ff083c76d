"""One system for each data directory, and no child of an earlier one left."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import psutil

END_TIMEOUT_S = 5.0


class InUseError(Exception):
    """Another system runs on the data directory."""


@contextlib.contextmanager
def locked(run_dir: Path) -> Iterator[None]:
    """Lock the directory while the context is open. Raises InUseError."""
    run_dir.mkdir(parents=True, exist_ok=True)
    path = run_dir / "supervisor.pid"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise InUseError(
                f"{run_dir.parent} is in use by process {file.read().strip()}; "
                "stop it, or choose another directory with TRIPS_DATA_DIR"
            ) from None
        _end_leftovers(run_dir)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        try:
            yield
        finally:
            path.unlink()


def _end_leftovers(run_dir: Path) -> None:
    """End the children that a killed supervisor left. A process that reuses an id is not one of them."""
    leftovers = [process for path in run_dir.glob("*.pid") if (process := _leftover(path))]
    for process in leftovers:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(leftovers, timeout=END_TIMEOUT_S)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()


def _leftover(path: Path) -> psutil.Process | None:
    with contextlib.suppress(psutil.Error, ValueError, OSError):
        process = psutil.Process(int(path.read_text()))
        # The file was written when the child started.
        if (
            path.name != "supervisor.pid"
            and abs(process.create_time() - path.stat().st_mtime) < END_TIMEOUT_S
        ):
            return process
    return None
