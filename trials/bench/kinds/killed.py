"""How long trips take to end if a process is killed under them, or if a server forgets everything."""

import asyncio
import random
import signal
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import nats
from nats.js.errors import NotFoundError

from choreography.streams import TRIPS
from trials.bench.contest.contestants import CHOREOGRAPHED, ORCHESTRATED, WAIT_S
from trials.bench.kinds.plan import COORDINATION, Plan, both
from trials.chaos.client import Client, calling
from trials.chaos.verdict import audited, settled
from trials.orders import Json, bench_order
from trials.polling import until
from trials.report import Results
from trials.traveller import FINAL
from trials.world import World

NOTHING = "nothing"
SLOW, SLOW_MS = "flight", 1000
UP_WITHIN_S = 60.0
SETTLE_S = 180.0
ENDS_WITHIN_S = 150.0
DAMAGE_AT = 0.5
"""The damage is done after this share of the time in which trips come."""


class Told(NamedTuple):
    """How a trip ended, and when its traveller was told, by the monotonic clock."""

    status: str
    at: float


Damage = Callable[[World], Awaitable[None]]


async def killed(plan: Plan) -> Results:
    """Seconds from each kill until the last trip has ended that was booked by then or soon after."""
    found: dict[str, dict[str, list[Any]]] = {
        kind: {part: [] for part in (NOTHING, *parts)} for kind, parts in plan.kill.items()
    }
    async with _slowly() as client:
        for _ in range(plan.killed_rounds):
            for kind, rows in found.items():
                for part, runs in rows.items():
                    runs.append(await _under_way(client, kind, plan, _killing(part)))
                    print(f"{kind}: {part} killed: {runs[-1]}", flush=True)
                    await _all_up(client)
        await settled(client, SETTLE_S)
        wrong = await audited(client)
    return {"kinds": found, "wrong": wrong}


async def forgotten(plan: Plan) -> Results:
    """The same if the server that carries the trips forgets everything: broker and Temporal alike."""
    found: dict[str, Any] = {}
    async with _slowly() as client:
        found[CHOREOGRAPHED] = await _under_way(client, CHOREOGRAPHED, plan, _forget_messages)
        await _all_up(client)
        found[ORCHESTRATED] = await _under_way(client, ORCHESTRATED, plan, _forget_workflows)
        await settled(client, SETTLE_S)
        wrong = await audited(client)
    return {"kinds": found, "wrong": wrong}


@asynccontextmanager
async def _slowly() -> AsyncIterator[Client]:
    """A system on which a trip takes more than a second, so that some are under way at any moment."""
    async with both() as arena, calling(arena.ground.world) as client:
        await client.break_partner(SLOW, latency_ms=SLOW_MS, verbs=["PUT"])
        yield client


async def _under_way(client: Client, kind: str, plan: Plan, damage: Damage) -> dict[str, Any]:
    """Book at a steady rate, do the damage amid that, and wait until all trips have ended."""
    per_trip_s, trips = 1 / plan.per_s, round(plan.per_s * plan.killed_s)
    async with asyncio.TaskGroup() as group:
        booked = []
        for number in range(trips):
            booked.append(group.create_task(_book(client, kind)))
            await asyncio.sleep(per_trip_s * random.uniform(0.5, 1.5))
            if number == round(trips * DAMAGE_AT):
                since = time.monotonic()
                await damage(client.world)
    told = [task.result() for task in booked]
    ended = Counter(one.status for one in told)
    return {"settled_s": max(one.at for one in told) - since, "ended": dict(ended), "trips": trips}


async def _book(client: Client, kind: str) -> Told:
    """Book a trip that waits for partners, and insist until it is told how it ended."""
    order = bench_order(coordination=COORDINATION[kind], when_partner_down="wait")
    headers = {"Idempotency-Key": str(uuid.uuid4()), "Prefer": f"wait={WAIT_S}"}
    trip = await until(lambda: _ended(client, order, headers), ENDS_WITHIN_S)
    return Told(trip["status"], time.monotonic())


async def _ended(client: Client, order: Json, headers: dict[str, str]) -> Json:
    """The trip once it has ended; an empty one before."""
    _, trip = await client.insist("POST", "/trips", ENDS_WITHIN_S, json=order, headers=headers)
    return dict(trip) if trip["status"] in FINAL else {}


def _killing(part: str) -> Damage:
    async def kill(world: World) -> None:
        if part != NOTHING:
            await until(lambda: _kill(world, part), every_s=0.01)

    return kill


async def _kill(world: World, part: str) -> bool:
    return world.kill(part)


async def _forget_messages(world: World) -> None:
    broker = await nats.connect(world.nats)
    try:
        await broker.jetstream().delete_stream(TRIPS)
    except NotFoundError:
        pass
    finally:
        await broker.close()


async def _forget_workflows(world: World) -> None:
    """Temporal dies, and its database is gone when it is started again."""
    world.signal("temporal", signal.SIGSTOP)
    await asyncio.to_thread(_remove, world.data_dir / "temporal")
    world.kill("temporal")


def _remove(place: Path) -> None:
    for file in place.iterdir():
        file.unlink()


async def _all_up(client: Client) -> None:
    """Wait until a trip of each kind is confirmed again."""
    for kind in COORDINATION:
        await until(lambda kind=kind: _is_confirmed(client, kind), UP_WITHIN_S)  # type: ignore[misc]


async def _is_confirmed(client: Client, kind: str) -> bool:
    return (await _book(client, kind)).status == "confirmed"
