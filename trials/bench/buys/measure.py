"""One variant: a calm phase, a rough one, and what its travellers and partners say of them."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from audit.facts import SeenReservation
from audit.partners import PartnerReader
from serving.client import open_client
from serving.upstream import Upstream
from trials import cpu
from trials.bench.buys.figures import Outage, calm_figures, outcomes, sick_figures, times
from trials.bench.buys.plan import Plan
from trials.bench.buys.travellers import Booked, Travellers
from trials.bench.buys.variants import Carrier, Variant, staged
from trials.orders import STAYS, today
from trials.world import Ground
from trip.partner import Partner

SICK = Partner(STAYS[-1])
ERROR_RATE = 0.1
LOST_SHARE = 0.05
BY_CHANCE: dict[str, Any] = {
    "error_rate": ERROR_RATE,
    "status": 503,
    # Of the calls that no error hit.
    "drop_reply_rate": LOST_SHARE / (1 - ERROR_RATE),
}
CALM_LIMIT_S = 30.0
EVENTS_LIMIT_S = 5.0


async def measured(variant: Variant, plan: Plan) -> dict[str, Any]:
    async with staged(variant, plan.seed) as ground:
        if variant.carrier is Carrier.WORKFLOW and not variant.breakers:
            for partner in Partner:
                await ground.traveller.override_breaker(partner, "closed")
        await ground.traveller.warm_up()
        calm = await _calm(ground, variant, plan)
        rough = await _rough(ground, variant, plan)
    return {"calm": calm, **rough}


async def _calm(ground: Ground, variant: Variant, plan: Plan) -> dict[str, Any]:
    before = await asyncio.to_thread(cpu.used, ground.world.run_dir, variant.own)
    travellers = Travellers(ground.traveller, keys=variant.keys)
    await travellers.book(plan.calm_trips(today()))
    booked = await travellers.all_told(CALM_LIMIT_S)
    after = await asyncio.to_thread(cpu.used, ground.world.run_dir, variant.own)
    return calm_figures(booked, cpu.between(before, after))


async def _rough(ground: Ground, variant: Variant, plan: Plan) -> dict[str, Any]:
    travellers = Travellers(ground.traveller, keys=variant.keys)
    async with asyncio.TaskGroup() as group:
        hurting = group.create_task(_hurt(ground, variant, plan))
        group.create_task(travellers.book(plan.rough_trips(today())))
    booked = await travellers.all_told(plan.settle_s)
    outage = hurting.result()
    calls = {partner: await ground.traveller.received(partner) for partner in Partner}
    return {
        "outcomes": outcomes(booked, await reservations(ground)) | await _attention(ground, variant, booked),
        "times": times(booked, outage),
        "sick": sick_figures(calls[SICK], outage, plan.rough_s - plan.up_s),
        "calls": sum(map(len, calls.values())),
    }


async def _hurt(ground: Ground, variant: Variant, plan: Plan) -> Outage:
    """Calls that fail by chance, an outage, and a kill; nothing fails any more when it returns."""
    start, traveller = time.monotonic(), ground.traveller

    async def at(seconds: float) -> float:
        await asyncio.sleep(start + seconds - time.monotonic())
        return time.time()

    for partner in Partner:
        await traveller.break_partner(partner, **BY_CHANCE)
    down_at = await at(plan.down_s)
    await traveller.break_partner(SICK, down=True)
    up_at = await at(plan.up_s)
    await traveller.break_partner(SICK, **BY_CHANCE)
    await at(plan.kill_s)
    ground.world.kill(variant.process)
    await at(plan.rough_s)
    for partner in Partner:
        await traveller.mend_partner(partner)
    return Outage(down_at, up_at)


async def reservations(ground: Ground) -> dict[Partner, list[SeenReservation]]:
    """What the partners' own stores hold. Raises AuditError."""
    found = {}
    for partner in Partner:
        async with open_client(Upstream(ground.world.partners[partner])) as client:
            found[partner] = list((await PartnerReader(partner, client).read()).after.values())
    return found


async def _attention(ground: Ground, variant: Variant, booked: Sequence[Booked]) -> dict[str, int]:
    """How many trips ever needed a person; only the workflow's record can tell."""
    if variant.carrier is not Carrier.WORKFLOW:
        return {}
    asked = await asyncio.gather(*(_ever_stuck(ground, one) for one in booked))
    return {"needed_attention": sum(asked)}


async def _ever_stuck(ground: Ground, booked: Booked) -> bool:
    for trip_id in booked.names - {booked.trip.label}:
        async with asyncio.timeout(EVENTS_LIMIT_S):
            async for event in ground.traveller.events(trip_id):
                if event.trip["status"] == "needs_attention":
                    return True
    return False
