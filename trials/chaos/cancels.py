"""Cancels at every moment of a slow trip: each trip ends cancelled and clean, or confirmed and whole.

All cancels are sent at one instant, to trips that were booked one after another before it. So a worker can
be killed right after them, which would otherwise have to come back between two.
"""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from temporalio.client import Client as TemporalClient
from temporalio.service import RPCError, RPCStatusCode

from trials.chaos.client import Client
from trials.chaos.orders import whole_order
from trials.chaos.verdict import faults_of, final
from trip.partner import Partner

MOMENTS = 40
TRIP_S = 10.0
CALL_MS = 2000
"""A trip is five calls one after another: stays, points, payment, capture, confirmations."""
UNDO_AFTER_S = 3.0
END_LIMIT_S = 90.0
ACCEPT_LIMIT_S = 30.0
CANCEL_LIMIT_S = 60.0
RPC_TIMEOUT = timedelta(seconds=10)

ACCEPTED, REFUSED = 202, 409
ACCEPTED_SHARE = 1 / 3


class Way(StrEnum):
    """Who cancels, and how often."""

    ONCE = "once"
    TWICE = "twice at once"
    AGAIN = "again during the undo"
    TEMPORAL = "Temporal's own"
    TEMPORAL_AGAIN = "Temporal's own, again during the undo"


@dataclass(frozen=True)
class Outcome:
    """How one trip took its cancel. `answer` is None for Temporal's own, which says nothing."""

    way: Way
    moment_s: float
    trip_id: str
    answer: int | None
    status: str
    wrong: tuple[str, ...]
    worker_killed: bool = False


def moments(count: int) -> list[float]:
    """Seconds from a trip's acceptance to its cancel, evenly over the length of a slow trip."""
    return [TRIP_S * number / count for number in range(count)]


def every_moment(count: int, ways: Sequence[Way]) -> list[tuple[Way, float]]:
    """Each way at each moment."""
    return [(way, moment) for moment in moments(count) for way in ways]


def mixed(count: int) -> list[tuple[Way, float]]:
    """All moments, the ways taking turns."""
    ways = list(Way)
    return [(ways[number % len(ways)], moment) for number, moment in enumerate(moments(count))]


async def run_all(client: Client) -> list[Outcome]:
    """Every way at each of MOMENTS moments, without and with the worker killed right after."""
    found = []
    for way in Way:
        for kill_workers in (0, 1):
            found += await run(client, every_moment(MOMENTS, [way]), kill_workers)
    return found


def violations(outcomes: Sequence[Outcome]) -> list[str]:
    """What must not be, a line each."""
    wrong = [
        f"{one.trip_id}: {one.way}, {one.moment_s:g} s: {text}" for one in outcomes for text in one.wrong
    ]
    answers = [one.answer for one in outcomes if one.answer is not None]
    accepted = sum(answer == ACCEPTED for answer in answers)
    if accepted < len(answers) * ACCEPTED_SHARE:
        wrong.append(f"{accepted} of {len(answers)} cancels were accepted, fewer than a third")
    return wrong


async def run(client: Client, planned: Sequence[tuple[Way, float]], kill_workers: int = 0) -> list[Outcome]:
    """Cancel a slow trip in each of the ways at each of the moments; kill that many workers right after."""
    temporal = await TemporalClient.connect(client.target.temporal)
    await _slow_down(client)
    try:
        instant = asyncio.get_running_loop().time() + TRIP_S + 1
        tasks = [asyncio.create_task(_cancelled(client, temporal, one, instant)) for one in planned]
        await asyncio.sleep(TRIP_S + 1)
        # Some cancels are answered by then, the others while no worker runs.
        for number in range(1, kill_workers + 1):
            client.target.kill(f"worker-{number}")
        return [replace(one, worker_killed=bool(kill_workers)) for one in await asyncio.gather(*tasks)]
    finally:
        for partner in Partner:
            await client.lab("DELETE", partner.value, "/lab/faults")


async def _slow_down(client: Client) -> None:
    for partner in Partner:
        await client.lab("PUT", partner.value, "/lab/faults", {"latency_ms": CALL_MS})


async def _cancelled(
    client: Client, temporal: TemporalClient, planned: tuple[Way, float], instant: float
) -> Outcome:
    way, moment_s = planned
    now = asyncio.get_running_loop().time
    await asyncio.sleep(max(0.0, instant - moment_s - now()))
    key = {"Idempotency-Key": str(uuid.uuid4())}
    _, trip = await client.insist("POST", "/trips", ACCEPT_LIMIT_S, json=whole_order(), headers=key)
    trip_id: str = trip["trip_id"]
    await asyncio.sleep(max(0.0, instant - now()))
    answer = await _CANCEL[way](client, temporal, trip_id)
    ended = await final(client, trip_id, END_LIMIT_S)
    wrong = await faults_of(client, ended, _may_end(answer))
    return Outcome(way, moment_s, trip_id, answer, ended["status"], tuple(wrong))


def _may_end(answer: int | None) -> tuple[str, ...]:
    ends = {ACCEPTED: ("cancelled",), REFUSED: ("confirmed",), None: ("cancelled", "confirmed")}
    return ends.get(answer, ())


async def _once(client: Client, _temporal: TemporalClient, trip_id: str) -> int | None:
    status, _ = await client.insist("POST", f"/trips/{trip_id}/cancel", CANCEL_LIMIT_S)
    return status


async def _twice(client: Client, temporal: TemporalClient, trip_id: str) -> int | None:
    answers = await asyncio.gather(_once(client, temporal, trip_id), _once(client, temporal, trip_id))
    # Either they agree, or the second came when the trip had ended; the better answer binds.
    return min(answer for answer in answers if answer is not None)


async def _again(client: Client, temporal: TemporalClient, trip_id: str) -> int | None:
    first = await _once(client, temporal, trip_id)
    await asyncio.sleep(UNDO_AFTER_S)
    await _once(client, temporal, trip_id)
    return first


async def _by_temporal(_client: Client, temporal: TemporalClient, trip_id: str) -> int | None:
    try:
        await temporal.get_workflow_handle(trip_id).cancel(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        # It was accepted, and is not started yet or has ended.
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
    return None


async def _by_temporal_again(client: Client, temporal: TemporalClient, trip_id: str) -> int | None:
    await _by_temporal(client, temporal, trip_id)
    await asyncio.sleep(UNDO_AFTER_S)
    return await _by_temporal(client, temporal, trip_id)


_CANCEL = {
    Way.ONCE: _once,
    Way.TWICE: _twice,
    Way.AGAIN: _again,
    Way.TEMPORAL: _by_temporal,
    Way.TEMPORAL_AGAIN: _by_temporal_again,
}
