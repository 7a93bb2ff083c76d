"""Cancels at every moment of a slow trip: each trip ends cancelled and clean, or confirmed and whole.

All cancels are sent at one instant, to trips that were booked one after another before it. So whoever carries
the trips can be killed right after them; otherwise it would have to come back between two.
"""

import asyncio
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from itertools import cycle, repeat
from typing import NamedTuple

from temporalio.client import Client as TemporalClient
from temporalio.service import RPCError, RPCStatusCode

from trials.chaos.client import Client
from trials.chaos.verdict import faults_of, final
from trials.orders import bench_order
from trials.report import NONE, table
from trip.order import Coordination
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
_MAY_END = {ACCEPTED: ("cancelled",), REFUSED: ("confirmed",), None: ("cancelled", "confirmed")}


class Way(StrEnum):
    ONCE = "once"
    TWICE = "twice at once"
    AGAIN = "again during the undo"
    TEMPORAL = "Temporal's own"
    TEMPORAL_AGAIN = "Temporal's own, again during the undo"


WAYS: Mapping[Coordination, Sequence[Way]] = {
    "orchestration": list(Way),
    "choreography": [Way.ONCE, Way.TWICE, Way.AGAIN],
}
CARRIERS: Mapping[Coordination, str] = {"orchestration": "worker-1", "choreography": "trips"}
"""The process that carries trips of each kind. A partner of a choreographed trip goes on without it."""


@dataclass(frozen=True)
class Outcome:
    """How one trip took its cancel. `answer` is None for Temporal's own, which says nothing."""

    coordination: Coordination
    way: Way
    moment_s: float
    trip_id: str
    answer: int | None
    status: str
    wrong: tuple[str, ...]
    carrier_killed: bool = False


class Cancel(NamedTuple):
    """A cancel of a trip of one kind. `moment_s`: the seconds from the trip's acceptance."""

    coordination: Coordination
    way: Way
    moment_s: float


def moments(count: int) -> list[float]:
    return [TRIP_S * number / count for number in range(count)]


def mixed(coordination: Coordination, count: int) -> list[Cancel]:
    """All moments, the ways taking turns."""
    return list(map(Cancel, repeat(coordination), cycle(WAYS[coordination]), moments(count)))


async def run_all(client: Client, kinds: Sequence[Coordination]) -> list[Outcome]:
    """Every way at each of MOMENTS moments, without and with the carrier killed right after."""
    found = []
    for coordination in kinds:
        for way in WAYS[coordination]:
            planned = [Cancel(coordination, way, moment) for moment in moments(MOMENTS)]
            for kill in (False, True):
                found += await run(client, planned, kill)
    return found


def violations(outcomes: Sequence[Outcome]) -> list[str]:
    wrong = [
        f"{one.trip_id}: {one.coordination}, {one.way}, {one.moment_s:g} s: {text}"
        for one in outcomes
        for text in one.wrong
    ]
    answers = [one.answer for one in outcomes if one.answer is not None]
    accepted = sum(answer == ACCEPTED for answer in answers)
    if accepted < len(answers) * ACCEPTED_SHARE:
        wrong.append(f"{accepted} of {len(answers)} cancels were accepted, fewer than a third")
    return wrong


async def run(client: Client, planned: Sequence[Cancel], kill: bool = False) -> list[Outcome]:
    """Cancel a slow trip in each way at its moment, side by side; perhaps kill the carriers right after."""
    temporal = await TemporalClient.connect(client.world.temporal)
    for partner in Partner:
        await client.break_partner(partner, latency_ms=CALL_MS)
    try:
        instant = asyncio.get_running_loop().time() + TRIP_S + 1
        tasks = [asyncio.create_task(_cancelled(client, temporal, one, instant)) for one in planned]
        await asyncio.sleep(TRIP_S + 1)
        # Some cancels are answered by then, the others while no carrier runs.
        if kill:
            for coordination in {one.coordination for one in planned}:
                client.world.kill(CARRIERS[coordination])
        return [replace(one, carrier_killed=kill) for one in await asyncio.gather(*tasks)]
    finally:
        for partner in Partner:
            await client.mend_partner(partner)


async def _cancelled(client: Client, temporal: TemporalClient, planned: Cancel, instant: float) -> Outcome:
    coordination, way, moment_s = planned
    now = asyncio.get_running_loop().time
    await asyncio.sleep(instant - moment_s - now())
    key = {"Idempotency-Key": str(uuid.uuid4())}
    body = bench_order(coordination=coordination)
    _, trip = await client.insist("POST", "/trips", ACCEPT_LIMIT_S, json=body, headers=key)
    trip_id: str = trip["trip_id"]
    await asyncio.sleep(instant - now())
    answer = await _cancel(client, temporal, way, trip_id)
    ended = await final(client, trip_id, END_LIMIT_S)
    wrong = await faults_of(client, ended, _MAY_END.get(answer, ()))
    return Outcome(*planned, trip_id, answer, ended["status"], tuple(wrong))


async def _cancel(client: Client, temporal: TemporalClient, way: Way, trip_id: str) -> int | None:
    """The first answer that binds."""

    async def once() -> int | None:
        if way in (Way.TEMPORAL, Way.TEMPORAL_AGAIN):
            await _by_temporal(temporal, trip_id)
            return None
        status, _ = await client.insist("POST", f"/trips/{trip_id}/cancel", CANCEL_LIMIT_S)
        return status

    if way is Way.TWICE:
        # Either both agree, or the second came when the trip had ended; the better answer binds.
        return min(answer for answer in await asyncio.gather(once(), once()) if answer is not None)
    answer = await once()
    if way in (Way.AGAIN, Way.TEMPORAL_AGAIN):
        await asyncio.sleep(UNDO_AFTER_S)
        await once()
    return answer


async def _by_temporal(temporal: TemporalClient, trip_id: str) -> None:
    try:
        await temporal.get_workflow_handle(trip_id).cancel(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        # The trip was accepted, and is not started yet or has ended.
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


def shown(outcomes: Sequence[Outcome]) -> str:
    rows = Counter(
        (
            one.coordination,
            one.way.value,
            "killed" if one.carrier_killed else "left",
            str(one.answer or NONE),
            one.status,
        )
        for one in outcomes
    )
    headings = ("coordination", "cancel", "carrier", "answer", "ended", "trips")
    return table(headings, ((*row, count) for row, count in sorted(rows.items())))
