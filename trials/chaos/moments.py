"""Brings a trip to one moment of one step and keeps it there for a few seconds, by the partners' lab.

Faults hit a counted number of calls, so trips are brought to their moments one after another: only the trip
that the fault is meant for moves, and those before it stand still.
"""

import signal
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

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
    """When a process dies, as seen by one step of one trip."""

    BEFORE_EFFECT = "before the effect"
    AFTER_EFFECT = "after the effect, before the reply"
    AFTER_REPLY = "after the reply, before it is recorded"
    COMPENSATING = "during compensation"


class Missed(Exception):
    """The moment passed before all was ready; it can be tried again with another trip."""


@dataclass(frozen=True)
class Placed:
    """A trip that stands at a moment of a step, and how it may end."""

    trip_id: str
    step: Partner
    moment: Moment

    @property
    def may_end(self) -> tuple[str, ...]:
        """Whole, unless it is being undone already."""
        if self.moment is not Moment.COMPENSATING:
            return ("confirmed",)
        return ("cancelled",) if self.step is PAYMENT else ("failed",)


async def bring(client: Client, step: Partner, moment: Moment) -> Placed:
    """Book a trip and return once it stands at the moment. Raises Missed.

    For AFTER_REPLY it stands before it; `freeze` brings all of those on.
    """
    placed = Placed(await _BRING[moment](client, step.value), step, moment)
    await _until(lambda: stands(client, placed), f"{step}: {moment}")
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
    """Raises Missed if the trip is no longer at its moment."""
    if not await stands(client, placed):
        raise Missed(f"{placed.step}: {placed.moment}")


async def freeze(client: Client, placed: list[Placed]) -> None:
    """Stop Temporal, then wait until every reply has reached a worker, which cannot record it. Raises Missed.

    The worker goes on, and cannot record that either. Temporal stays stopped until the caller continues it.
    """
    client.world.signal(TEMPORAL, signal.SIGSTOP)
    for one in placed:
        await _until(lambda one=one: _replied(client, one), f"{one.step}: {one.moment}")  # type: ignore[misc]


async def _replied(client: Client, placed: Placed) -> bool:
    calls = await client.lab_calls(placed.step.value, placed.trip_id)
    return [call["outcome"] for call in calls[:1]] == ["201"]


async def _before_effect(client: Client, step: str) -> str:
    await _fault(client, step, {"latency_ms": STAY_MS, "count": 1, "verbs": ["PUT"]})
    return await _book(client, bench_order())


async def _after_effect(client: Client, step: str) -> str:
    await _fault(client, step, {"drop_reply_rate": 1.0, "count": 1, "verbs": ["PUT"]})
    return await _book(client, bench_order())


async def _before_reply(client: Client, step: str) -> str:
    """Its capture takes as long. So the worker did that, too, and cannot record it."""
    slow = {"latency_ms": FROZEN_MS}
    if step == PAYMENT:
        await _fault(client, step, slow | {"count": 2, "verbs": ["PUT", "confirm"]})
    else:
        await _fault(client, step, slow | {"count": 1, "verbs": ["PUT"]})
        await _fault(client, PAYMENT, slow | {"count": MAY_CAPTURE, "verbs": ["confirm"]})
    return await _book(client, bench_order())


async def _compensating(client: Client, step: str) -> str:
    if step == PAYMENT:
        return await _cancelled_while_paying(client)
    await _fault(client, step, {"latency_ms": STAY_MS, "count": 1, "verbs": ["DELETE"]})
    return await _book(client, bench_order(card_token="tok_declined"))  # noqa: S106


async def _cancelled_while_paying(client: Client) -> str:
    """A declined payment leaves nothing to undo, so this one is cancelled while it is out."""
    step = PAYMENT.value
    trip_id = await _before_effect(client, step)
    placed = Placed(trip_id, PAYMENT, Moment.BEFORE_EFFECT)
    await _until(lambda: stands(client, placed), "payment: before its cancel")
    await _fault(client, step, {"latency_ms": STAY_MS, "count": 1, "verbs": ["DELETE"]})
    status, answer = await client.insist("POST", f"/trips/{trip_id}/cancel", ACCEPT_LIMIT_S)
    if status != 202:
        raise Missed(f"the cancel was answered {status}: {answer}")
    return trip_id


_BRING: dict[Moment, Callable[[Client, str], Awaitable[str]]] = {
    Moment.BEFORE_EFFECT: _before_effect,
    Moment.AFTER_EFFECT: _after_effect,
    Moment.AFTER_REPLY: _before_reply,
    Moment.COMPENSATING: _compensating,
}


async def _book(client: Client, body: Json) -> str:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    status, trip = await client.insist("POST", "/trips", ACCEPT_LIMIT_S, json=body, headers=key)
    if status not in (200, 202):
        raise Missed(f"the trip was not accepted: {trip}")
    return str(trip["trip_id"])


async def _fault(client: Client, step: str, faults: Json) -> None:
    async def set_() -> bool:
        return await client.lab("PUT", step, "/lab/faults", faults) is not None

    await _until(set_, f"faults at {step}")


async def _until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    try:
        await until(condition, REACH_LIMIT_S, LOOK_EVERY_S)
    except TimeoutError as error:
        raise Missed(what) from error
