"""`python -m replay` replays histories with the code as it is: exit status 0 if all can go on with it.

1: a history fails, and is named with the event. 2: something could not be replayed, or nothing was found.
"""

import argparse
import asyncio
import logging
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

from temporalio.client import Client
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError

from config.codec import Codec, codec_of
from config.keys import keys_here
from config.temporal import client_options
from replay.histories import Found, NoHistory, files_in, of_namespace, read
from replay.replaying import failure_of, has_begun, replayer, workflow_of

CONNECT_TIMEOUT_S = 10.0


class Replays:
    """Replays one history after another, and counts what came of each."""

    def __init__(self, codec: Codec | None) -> None:
        self._replayer = replayer(codec)
        self.replayed: Counter[str] = Counter()
        self.not_begun = self.failed = self.unreadable = 0

    async def files(self, place: Path) -> None:
        """Replay the exported histories of a folder. Raises NoHistory if it has none."""
        for path in files_in(place):
            try:
                history = read(path)
            except NoHistory as error:
                self.unreadable += 1
                print(error, file=sys.stderr)
            else:
                await self._replay(Found(str(path), history))

    async def found(self, histories: AsyncIterator[Found]) -> None:
        """Replay the histories of a namespace."""
        async for found in histories:
            await self._replay(found)

    async def _replay(self, found: Found) -> None:
        workflow = workflow_of(found.history)
        if not has_begun(found.history):
            self.not_begun += 1
            return
        self.replayed[workflow] += 1
        failure = await failure_of(self._replayer, found.history)
        if failure is not None:
            self.failed += 1
            print(
                f"{found.name}: {workflow} fails at event {failure.event_id} ({failure.event}): {failure.why}"
            )

    def summary(self) -> str:
        """One line."""
        kinds = ", ".join(f"{count} {workflow}" for workflow, count in sorted(self.replayed.items()))
        parts = [
            f"{self.replayed.total()} replayed" + (f" ({kinds})" if kinds else ""),
            f"{self.failed} failed",
        ]
        if self.not_begun:
            parts.append(f"{self.not_begun} not begun, so nothing to replay")
        if self.unreadable:
            parts.append(f"{self.unreadable} not readable")
        return "; ".join(parts) if self._found_any else "nothing was found, so nothing is shown"

    def status(self) -> int:
        """The exit status."""
        if self.failed:
            return 1
        return 2 if self.unreadable or not self._found_any else 0

    @property
    def _found_any(self) -> bool:
        return bool(self.replayed or self.not_begun or self.unreadable)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m replay", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("histories", nargs="?", type=Path, help="a folder of exported histories, or one file")
    which.add_argument("--query", help="replay what this list filter finds in the namespace of TEMPORAL_*")
    return parser.parse_args()


async def _replayed(chosen: argparse.Namespace) -> Replays:
    codec = codec_of(keys_here())
    replays = Replays(codec)
    if chosen.query is None:
        await replays.files(chosen.histories)
    else:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            client = await Client.connect(**client_options(codec))
        await replays.found(of_namespace(client, chosen.query))
    return replays


def main() -> int:
    """Replay what the arguments name; the exit status."""
    # The SDK tells each failure at length, and each of the search for its event.
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=None)))
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)
    try:
        replays = asyncio.run(_replayed(_arguments()))
    except (NoHistory, RPCError, RuntimeError, TimeoutError, ValueError) as error:
        print(error if isinstance(error, NoHistory) else f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    print(replays.summary())
    return replays.status()


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # Temporal's client may hang or abort at the interpreter's own exit
