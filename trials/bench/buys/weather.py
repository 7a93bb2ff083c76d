"""The rough phase: calls that fail by chance, an outage, and a kill."""

import asyncio
import time
from typing import Any, NamedTuple

from trials.bench.buys.plan import Plan
from trials.bench.buys.stage import Ground
from trip.partner import Partner

SICK = Partner("flight")
ERROR_RATE = 0.1
LOST_SHARE = 0.05
BY_CHANCE: dict[str, Any] = {
    "error_rate": ERROR_RATE,
    "status": 503,
    # Of the calls that no error hit.
    "drop_reply_rate": LOST_SHARE / (1 - ERROR_RATE),
}


class Outage(NamedTuple):
    """When the sick partner went down and came back, in seconds since 1970."""

    down_at: float
    up_at: float


async def rage(ground: Ground, plan: Plan) -> Outage:
    """The whole phase; when it ends, nothing fails any more."""
    start = time.monotonic()

    async def at(seconds: float) -> float:
        await asyncio.sleep(start + seconds - time.monotonic())
        return time.time()

    for partner in Partner:
        await ground.traveller.break_partner(partner, **BY_CHANCE)
    down_at = await at(plan.down_s)
    await ground.traveller.break_partner(SICK, down=True)
    up_at = await at(plan.up_s)
    await ground.traveller.break_partner(SICK, **BY_CHANCE)
    await at(plan.kill_s)
    ground.kill()
    await at(plan.rough_s)
    for partner in Partner:
        await ground.traveller.mend_partner(partner)
    return Outage(down_at, up_at)
