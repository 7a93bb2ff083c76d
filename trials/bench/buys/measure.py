"""One variant: a calm phase, a rough one, and what its travellers and partners say of them."""

import asyncio
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tests.traveller import bench_order
from trials.bench.buys.booking import Booked, Travellers
from trials.bench.buys.figures import calm_figures, outcomes, sick_figures, times
from trials.bench.buys.plan import Plan
from trials.bench.buys.stage import Ground, staged
from trials.bench.buys.stores import read_stores
from trials.bench.buys.variants import Carrier, Variant
from trials.bench.buys.weather import SICK, rage
from trials.bench.contest import cpu
from trials.bench.guard.ground import WARM_UP_TRIPS
from trip.partner import Partner
from trip.trip import TripStatus

CALM_LIMIT_S = 30.0
EVENTS_LIMIT_S = 5.0


async def measured(variant: Variant, plan: Plan, stop: asyncio.Event) -> dict[str, Any]:
    """The variant's figures, on a system of its own."""
    load = os.getloadavg()[0]
    async with staged(variant, plan.seed, stop) as ground:
        await _prepared(ground)
        calm = await _calm(ground, plan)
        rough = await _rough(ground, plan)
    return {"variant": variant.name, "about": {"load": load}, "calm": calm, **rough}


async def _prepared(ground: Ground) -> None:
    """Breakers held closed where they are left out; connections and caches warm."""
    if ground.variant.carrier is Carrier.WORKFLOW and not ground.variant.breakers:
        for partner in Partner:
            await ground.traveller.override_breaker(partner, "closed")
    for _ in range(WARM_UP_TRIPS):
        await ground.traveller.book(bench_order(), wait=30)


async def _calm(ground: Ground, plan: Plan) -> dict[str, Any]:
    before = await _used(ground)
    travellers = Travellers(ground)
    await travellers.book(plan.calm_trips(datetime.now(UTC).date()))
    booked = await travellers.all_told(CALM_LIMIT_S)
    return calm_figures(booked, cpu.between(before, await _used(ground)))


async def _rough(ground: Ground, plan: Plan) -> dict[str, Any]:
    travellers = Travellers(ground)
    async with asyncio.TaskGroup() as group:
        raging = group.create_task(rage(ground, plan))
        group.create_task(travellers.book(plan.rough_trips(datetime.now(UTC).date())))
    booked = await travellers.all_told(plan.settle_s)
    outage = raging.result()
    stores = await read_stores(ground)
    return {
        "outcomes": outcomes(booked, stores.reservations) | await _attention(ground, booked),
        "times": times(booked, outage),
        "sick": sick_figures(stores.calls[SICK], outage, plan.rough_s - plan.up_s),
        "calls": sum(map(len, stores.calls.values())),
    }


async def _attention(ground: Ground, booked: Sequence[Booked]) -> dict[str, int]:
    """How many trips needed a person at some time, where there is a record that tells."""
    if ground.variant.carrier is not Carrier.WORKFLOW:
        return {}
    asked = await asyncio.gather(*(_ever_stuck(ground, one) for one in booked))
    return {"needed_attention": sum(asked)}


async def _ever_stuck(ground: Ground, booked: Booked) -> bool:
    for trip_id in booked.names - {booked.trip.label}:
        async with asyncio.timeout(EVENTS_LIMIT_S):
            async for event in ground.traveller.events(trip_id):
                if event.trip["status"] == TripStatus.NEEDS_ATTENTION:
                    return True
    return False


async def _used(ground: Ground) -> cpu.Used:
    return await asyncio.to_thread(cpu.used, ground.stage.run_dir, ground.variant.own)
