"""`python -m stack` runs the whole system in the foreground."""

import os
import sys

from stack.chosen import Chosen, Ports
from stack.place import followed
from stack.runner import exit_status, running, stop_event
from stack.surroundings import forget_temporal
from stack.system import System

COLOURS = (36, 33, 32, 35, 34, 31)


def say(name: str, line: str) -> None:
    """Print a part's line on standard error, after the part's name."""
    colour = COLOURS[sum(name.encode()) % len(COLOURS)]
    prefix = f"\x1b[{colour}m{name:>10}\x1b[0m" if sys.stderr.isatty() else f"{name:>10}"
    print(f"{prefix} | {line}", file=sys.stderr, flush=True)


async def up(kind: type[System] = System) -> int:
    """The whole system in the foreground, until a signal ends it."""
    if not os.environ.get("TEMPORAL_ADDRESS"):
        forget_temporal()  # the embedded one is started
    chosen = Chosen()
    system = kind(followed(chosen.data_dir), Ports(), chosen.workers, chosen.host)
    stop = stop_event()
    async with running(system, say, stop):
        if not stop.is_set():
            print(f"ready {system.url(system.ports.api_port)}", flush=True)
        await stop.wait()
        say("stack", "stopping")
    return 0


if __name__ == "__main__":
    sys.exit(exit_status(up))
