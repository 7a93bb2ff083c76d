"""`python -m builds` releases a build of the worker, shows all builds, and moves trips to another build.

Temporal is found as `python -m audit` finds it.
"""

import argparse
import asyncio
import logging
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable

from temporalio.client import Client
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError

from audit.endpoints import find_endpoints
from builds.deployment import ChangedMeanwhile, NotReleasable
from builds.moving import move, trips_of
from builds.overview import overview
from builds.release import NotTakenBack, Plan, release, until_it_polls
from config.codec import Codec, codec_of
from config.keys import keys_here
from config.settings import settings
from config.temporal import client_options
from replay.replaying import replayer

CONNECT_TIMEOUT_S = 10.0
LONGEST_S = 86_400

DONE, NOT_DONE, NOT_BEGUN, STILL_OUT = range(4)
"""The exit statuses. The last: a build that went wrong still gets trips."""

Run = Callable[[argparse.Namespace, Client, Codec | None], Awaitable[int]]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m builds", description=__doc__)
    commands = parser.add_subparsers(required=True)

    released = commands.add_parser(
        "release",
        help="send new trips to a build, a share of them first",
        description="Waits until the build polls, gives it a share of new trips, then all, and watches it. "
        "If something goes wrong, the build that was current is current again. Exit status: 0 the build is "
        "current, 1 it was taken back, 2 nothing was changed, 3 it may get trips still.",
    )
    released.add_argument("build", type=_build, metavar="BUILD_ID", help="the TRIPS_BUILD_ID of its workers")
    released.add_argument(
        "--steps", type=_steps, default="10,50", help="shares of new trips, in per cent; none: all at once"
    )
    released.add_argument("--pause", type=_seconds, default=30, help="how long each step lasts, in seconds")
    released.add_argument(
        "--watch", type=_seconds, default=60, help="how long it is watched once it has all trips"
    )
    released.add_argument("--wait", type=_seconds, default=60, help="how long it has to begin to poll")
    released.add_argument(
        "--margin",
        type=_margin,
        default=25,
        help="how much greater the share of its trips that fail or need attention may be than that of other "
        "trips, in percentage points",
    )
    released.set_defaults(run=_release)

    status = commands.add_parser(
        "status", help="show all builds, their workers and the trips that stay with them"
    )
    status.set_defaults(run=_status)

    moved = commands.add_parser(
        "move",
        help="move trips to a build that can go on with them",
        description="Run it with the code of the build that the trips go to: each history is replayed first, "
        "and a trip that this code cannot go on with is left. Exit status: 0 all are moved, 1 a trip is "
        "left, 2 nothing was changed.",
    )
    which = moved.add_mutually_exclusive_group(required=True)
    which.add_argument("trip_id", nargs="*", default=[], help="these trips")
    which.add_argument(
        "--from", dest="source", type=_build, metavar="BUILD_ID", help="every trip of this build"
    )
    moved.add_argument(
        "--to", type=_build, metavar="BUILD_ID", required=True, help="the build that goes on with them"
    )
    moved.set_defaults(run=_move)

    chosen = parser.parse_args()
    if chosen.run is _move and (here := settings().build_id) != chosen.to:
        whose = f"build {here}" if here else "no build"
        moved.error(
            f"this is the code of {whose}, by TRIPS_BUILD_ID. It replays each history first, "
            f"so run it with the code of build {chosen.to} and TRIPS_BUILD_ID={chosen.to}"
        )
    return chosen


def _build(text: str) -> str:
    if not re.fullmatch(r"[\w.-]{1,64}", text):
        raise argparse.ArgumentTypeError("a build id has 1 to 64 letters, digits, `_`, `.` and `-`")
    return text


def _steps(text: str) -> tuple[float, ...]:
    steps = tuple(_number(part, "a step", 100) for part in text.split(",")) if text != "none" else ()
    if list(steps) != sorted(set(steps)) or any(not 0 < step < 100 for step in steps):
        raise argparse.ArgumentTypeError(
            "steps are numbers above 0 and below 100, each greater than the one before"
        )
    return steps


def _seconds(text: str) -> float:
    return _number(text, "a time in seconds", LONGEST_S)


def _margin(text: str) -> float:
    return _number(text, "a margin", 100) / 100


def _number(text: str, what: str, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number <= most:
        raise argparse.ArgumentTypeError(f"{what} is a number from 0 to {most:g}, and not {text!r}")
    return number


async def _release(chosen: argparse.Namespace, client: Client, _codec: Codec | None) -> int:
    plan = Plan(chosen.build, chosen.steps, chosen.pause, chosen.watch, chosen.wait, chosen.margin)
    return DONE if await release(client, plan, _say) else NOT_DONE


async def _status(_chosen: argparse.Namespace, client: Client, _codec: Codec | None) -> int:
    print(await overview(client))
    return DONE


async def _move(chosen: argparse.Namespace, client: Client, codec: Codec | None) -> int:
    """0, or 1 if a trip is left as it is."""
    await until_it_polls(client, chosen.to, 0, _nothing)
    trip_ids = chosen.trip_id or await trips_of(client, chosen.source)
    left = 0
    async for moved in move(client, replayer(codec), trip_ids, chosen.to):
        left += moved.left_as is not None
        outcome = (
            f"moved to build {chosen.to}" if moved.left_as is None else f"left as it is; {moved.left_as}"
        )
        _say(f"{moved.trip_id}: {outcome}")
    _say(f"{len(trip_ids) - left} moved, {left} left")
    return NOT_DONE if left else DONE


def _say(line: str) -> None:
    print(line, flush=True)


def _nothing(_line: str) -> None:
    pass


async def _run(chosen: argparse.Namespace) -> int:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    codec = codec_of(keys_here())
    address = find_endpoints().temporal
    options = client_options(codec) | ({"target_host": address} if address else {})
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        client = await Client.connect(**options)
    run: Run = chosen.run
    return await run(chosen, client, codec)


def main() -> int:
    """Run the command; its exit status."""
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(_run(_arguments()))
    except (NotTakenBack, ChangedMeanwhile) as error:
        print(f"error: {error}", file=sys.stderr)
        return STILL_OUT
    except NotReleasable as error:
        print(f"error: {error}", file=sys.stderr)
    except (RPCError, RuntimeError, TimeoutError, ValueError) as error:
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
    except (KeyboardInterrupt, asyncio.CancelledError):
        return NOT_DONE
    return NOT_BEGUN


if __name__ == "__main__":
    # The SDK tells each failure of a replay at length.
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=None)))
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # Temporal's client may hang or abort at the interpreter's own exit
