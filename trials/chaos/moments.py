"""Brings a trip to one moment of one step and keeps it there for a few seconds, by the partners' lab.

Faults hit a counted number of calls, so trips are brought to their moments one after another: only the trip
that the fault is meant for moves, and those before it stand still.
"""

import asyncio
import signal
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from trials.chaos.client import Client
from trials.chaos.verdict import ACTIVE
from trials.orders import Json, bench_order
from trials.polling import until
from trip.partner import PAYMENT, Partner

TEMPORAL = "temporal"

STAY_MS = 4000
"""Within the time limit of every call, so that its partner still answers the one who asked."""
FROZEN_MS = 2500
MAY_CAPTURE = 3
"""Trips that may come to their capture while one is brought to its moment, itself included."""
REACH_LIMIT_S = 10.0
ACCEPT_LIMIT_S = 30.0
LOOK_EVERY_S = 0.02


class Moment(StrEnum):
    BEFORE_EFFECT = "before the effect"
    AFTER_EFFECT = "after the effect, before the reply"
    AFTER_REPLY = "after the reply, before it is recorded"
    COMPENSATING = "during compensation"


class Missed(Exception):
    """The moment passed before all was ready; it can be tried again with another trip."""


@dataclass(frozen=True)
class Placed:
    trip_id: str
    step: Partner
    moment: Moment

    @property
    def may_end(self) -> tuple[str, ...]:
        if self.moment is not Moment.COMPENSATING:
            return ("confirmed",)
        return ("cancelled",) if self.step is PAYMENT else ("failed",)


async def bring(client: Client, step: Partner, moment: Moment) -> Placed:
    """Book a trip and return once it stands at the moment. Raises Missed.

    For AFTER_REPLY it stands before it; `freeze` brings all of those on.
    """
    if moment is Moment.COMPENSATING and step is PAYMENT:
        trip_id = await _cancelled_while_paying(client)
    else:
        await set_faults(client, *_faults(step, moment))
        card_token = "tok_declined" if moment is Moment.COMPENSATING else "tok_visa"
        trip_id = await book(client, bench_order(card_token=card_token))
    placed = Placed(trip_id, step, moment)
    await reached(lambda: stands(client, placed), f"{step}: {moment}")
    return placed


async def stands(client: Client, placed: Placed) -> bool:
    """Whether the trip is at its moment, by the calls that its partner received and its reservation."""
    calls = await client.lab_calls(placed.step.value, placed.trip_id)
    seen = [(call["verb"], call["outcome"]) for call in calls]
    match placed.moment:
        case Moment.BEFORE_EFFECT | Moment.AFTER_REPLY:
            return seen == [("PUT", None)]
        case Moment.AFTER_EFFECT:
            held = await client.stands_as(placed.step.value, placed.trip_id)
            return seen == [("PUT", "dropped")] and held in ACTIVE
        case Moment.COMPENSATING:
            return bool(seen) and seen[-1] == ("DELETE", None)


async def check(client: Client, placed: Placed) -> None:
    if not await stands(client, placed):
        raise Missed(f"{placed.step}: {placed.moment}")


async def freeze(client: Client, placed: list[Placed]) -> None:
    """Stop Temporal, then wait until every reply has reached a worker, which cannot record it. Raises Missed.

    The worker goes on, and cannot record that either. Temporal stays stopped until the caller continues it.
    """
    client.world.signal(TEMPORAL, signal.SIGSTOP)
    for one in placed:
        await reached(lambda one=one: _replied(client, one), f"{one.step}: {one.moment}")  # type: ignore[misc]


async def _replied(client: Client, placed: Placed) -> bool:
    calls = await client.lab_calls(placed.step.value, placed.trip_id)
    return [call["outcome"] for call in calls[:1]] == ["201"]


def _faults(step: Partner, moment: Moment) -> list[tuple[Partner, Json]]:
    slow = {"latency_ms": FROZEN_MS}
    match moment:
        case Moment.BEFORE_EFFECT:
            return [(step, {"latency_ms": STAY_MS, "count": 1, "verbs": ["PUT"]})]
        case Moment.AFTER_EFFECT:
            return [(step, {"drop_reply_rate": 1.0, "count": 1, "verbs": ["PUT"]})]
        case Moment.COMPENSATING:
            return [(step, {"latency_ms": STAY_MS, "count": 1, "verbs": ["DELETE"]})]
        # The capture takes as long. So the worker did that, too, and cannot record it.
        case Moment.AFTER_REPLY if step is PAYMENT:
            return [(step, slow | {"count": 2, "verbs": ["PUT", "confirm"]})]
        case Moment.AFTER_REPLY:
            capture = slow | {"count": MAY_CAPTURE, "verbs": ["confirm"]}
            return [(step, slow | {"count": 1, "verbs": ["PUT"]}), (PAYMENT, capture)]


async def _cancelled_while_paying(client: Client) -> str:
    """A declined payment leaves nothing to undo, so this trip is cancelled while its payment is out."""
    placed = await bring(client, PAYMENT, Moment.BEFORE_EFFECT)
    await set_faults(client, *_faults(PAYMENT, Moment.COMPENSATING))
    cancel(client, placed.trip_id)
    return placed.trip_id


def cancel(client: Client, trip_id: str) -> None:
    """Cancel a trip. Nobody waits for the answer, which may come only once the undo is over."""
    task = asyncio.create_task(client.insist("POST", f"/trips/{trip_id}/cancel", ACCEPT_LIMIT_S))
    _CANCELS.add(task)
    task.add_done_callback(_CANCELS.discard)


_CANCELS: set[asyncio.Task[tuple[int, Any]]] = set()
"""Under way: a task that nobody holds may be collected."""


async def book(client: Client, body: Json) -> str:
    """The id of the accepted trip. Raises Missed."""
    key = {"Idempotency-Key": str(uuid.uuid4())}
    status, trip = await client.insist("POST", "/trips", ACCEPT_LIMIT_S, json=body, headers=key)
    if status not in (200, 202):
        raise Missed(f"the trip was not accepted: {trip}")
    return str(trip["trip_id"])


async def set_faults(client: Client, *faults: tuple[Partner, Json]) -> None:
    """Set faults at partners. Raises Missed."""
    for partner, found in faults:
        set_ = partial(client.lab, "PUT", partner, "/lab/faults", found)
        await reached(set_, f"faults at {partner}")


async def reached(condition: Callable[[], Awaitable[object]], what: str) -> None:
    """Returns when the condition holds. Raises Missed."""
    try:
        await until(condition, REACH_LIMIT_S, LOOK_EVERY_S)
    except TimeoutError as error:
        raise Missed(what) from error
