"""Sends new trips to a build, a share of them first, and takes the build back if something goes wrong."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from temporalio.client import Client
from temporalio.service import RPCError

from builds.deployment import (
    ChangedMeanwhile,
    NotReleasable,
    Routing,
    Shares,
    make_current,
    queues,
    ramp,
    routing,
)
from builds.patience import patiently
from builds.watch import Fault, Watch
from temporal import attributes
from temporal.builds import DEPLOYMENT
from temporal.pollers import CALLS, TRIPS, Build, polled

LOOK_EVERY_S = 0.5

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How a build is released. Each time is in seconds.

    `steps` are the shares of new trips, in per cent, that the build gets before it gets all. Each lasts for
    `pause_s`. The build is watched for `watch_s` after it got all. It has `wait_s` to begin to poll.
    """

    build: str
    steps: tuple[float, ...]
    pause_s: float
    watch_s: float
    wait_s: float
    margin: float


class NotTakenBack(Exception):
    """The build that went wrong still gets trips; the message says why, and what to do."""


async def release(client: Client, plan: Plan, say: Say) -> bool:
    """Make the build current. False: it went wrong and was taken back.

    Raises NotReleasable, NotTakenBack, ChangedMeanwhile and RPCError. A build whose release is interrupted is
    taken back, too.
    """
    before = (await until_it_polls(client, plan.build, plan.wait_s, say)).shares
    if before == Shares(plan.build):
        say(f"build {plan.build} is current already")
        return True
    if before.percent and before.ramping != plan.build:
        raise NotReleasable(
            f"{_named(before.ramping)} has {before.percent:g} % of new trips; release it, or end that with "
            f"`temporal worker deployment set-ramping-version --delete {_option(before.ramping)}`"
        )
    try:
        faults = await _sent(client, plan, before, say)
    except (asyncio.CancelledError, RPCError, TimeoutError, NotReleasable) as error:
        say(f"interrupted: {error}" if str(error) else "interrupted")
        await _take_back(client, plan.build, before.current, say)
        raise
    for fault in faults:
        say(f"{fault.where}: {fault.what}")
    if faults:
        await _take_back(client, plan.build, before.current, say)
    return not faults


async def until_it_polls(client: Client, build: str, wait_s: float, say: Say) -> Routing:
    """Wait until workers of the build poll all its task queues, and all of the current build.

    Raises NotReleasable and RPCError.
    """
    clock = asyncio.get_running_loop().time
    end = clock() + wait_s
    while True:
        found = await patiently(partial(routing, client))
        missing = _unknown(found, build)
        if found is not None and missing is None:
            missing = await patiently(partial(_unpolled, client, build, found.shares.current))
            if missing is None:
                say(f"build {build} polls")
                return found
        if clock() >= end:
            raise NotReleasable(f"{missing}; waited {wait_s:g} s; start a worker with TRIPS_BUILD_ID={build}")
        await asyncio.sleep(LOOK_EVERY_S)


def _unknown(found: Routing | None, build: str) -> str | None:
    if found is None:
        return "no worker has ever named a build"
    if found.knows(build):
        return None
    known = ", ".join(sorted(one.build for one in found.builds))
    return f"no worker has ever named the build {build}, but {known}"


async def _unpolled(client: Client, build: str, current: Build) -> str | None:
    own = await queues(client, build)
    if not own:
        return f"no worker of build {build} polls"
    wanted = {TRIPS, CALLS} | own
    if current is not None:
        wanted |= await queues(client, current)
    for queue in sorted(wanted):
        if not (await polled(client, queue)).workers.get(build):
            return f"no worker of build {build} polls the task queue {queue.name}"
    return None


async def _sent(client: Client, plan: Plan, before: Shares, say: Say) -> list[Fault]:
    """Send trips to the build, ever more. Returns what goes wrong; the build then has its share still."""
    watch: Watch | None = None
    steps = [Shares(before.current, plan.build, percent) for percent in plan.steps]
    for shares in (*steps, Shares(plan.build)):
        await patiently(partial(_send, client, before, shares))
        before = shares
        has = f"has {shares.percent:g} % of new trips" if shares.percent else "is current"
        say(f"build {plan.build} {has}")
        if watch is None:
            watch = await patiently(partial(_watch, client, plan, say))
        seconds = plan.pause_s if shares.percent else plan.watch_s
        if faults := await watch.within(seconds):
            return faults
        if seconds:
            say(f"nothing went wrong within {seconds:g} s")
    return []


async def _watch(client: Client, plan: Plan, say: Say) -> Watch:
    margin: float | None = plan.margin
    if missing := await attributes.missing(client):
        say(f"the namespace lacks {', '.join(missing)}, so trips in trouble are not counted")
        margin = None
    return Watch(client, plan.build, (await _known(client)).changed_at, margin)


async def _send(client: Client, before: Shares, shares: Shares) -> None:
    """Send these shares of new trips, unless it is so already. Raises ChangedMeanwhile."""
    found = await _known(client)
    if found.shares == shares:
        return
    if found.shares != before:
        raise ChangedMeanwhile("somebody else has changed where trips go; see `status`")
    try:
        if shares.ramping is None:
            await make_current(client, shares.current, found.token)
        else:
            await ramp(client, shares.ramping, shares.percent, found.token)
    except ChangedMeanwhile:
        # Perhaps by a call of our own whose answer was lost.
        if (await _known(client)).shares != shares:
            raise


async def _take_back(client: Client, build: str, former: Build, say: Say) -> None:
    try:
        await patiently(partial(_send_back, client, build, former))
    except (RPCError, NotReleasable, ChangedMeanwhile) as error:
        raise NotTakenBack(
            f"build {build} is not taken back: {error}; see `status`, and go back with "
            f"`temporal worker deployment set-current-version {_option(former)}`"
        ) from error
    say(
        f"build {build} is taken back: new trips go to {_named(former)}; the trips that build {build} began "
        f"stay with it, so keep its workers"
    )


async def _send_back(client: Client, build: str, former: Build) -> None:
    found = await _known(client)
    if found.shares.current == build:
        await make_current(client, former, found.token)
    elif found.shares.ramping == build:
        await ramp(client, None, 0, found.token)
    elif found.shares.current != former:
        raise ChangedMeanwhile("another build was made current")


async def _known(client: Client) -> Routing:
    found = await routing(client)
    if found is None:
        raise NotReleasable("Temporal does not know the deployment any more")
    return found


def _option(build: Build) -> str:
    which = "--unversioned" if build is None else f"--build-id {build}"
    return f"--deployment-name {DEPLOYMENT} {which}"


def _named(build: Build) -> str:
    return "workers without a build" if build is None else f"build {build}"
