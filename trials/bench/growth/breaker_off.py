"""What closed breakers cost a trip: the same worker with them and without them, turn by turn."""

import asyncio
import os
from typing import Any

import asyncpg

from trials.bench.contest.ground import Ground, fresh_ground
from trials.bench.growth.phases import Rounds, exchanged
from trials.bench.growth.stages import SwitchedStage
from trials.bench.growth.switched_worker import IN, OUT

ON, OFF = "closed breakers", "no breakers"
SWITCH_LIMIT_S = 10.0
LOOK_EVERY_S = 0.1

_CONNECTIONS = "select count(*) from pg_stat_activity where application_name = 'breaker'"


async def measured(stop: asyncio.Event, plan: Rounds) -> dict[str, Any]:
    """`phases` with closed breakers and with none, round by round, and what went `wrong`."""
    async with fresh_ground(stop, SwitchedStage) as one, fresh_ground(stop, SwitchedStage) as other:
        return await exchanged((one, other), (ON, OFF), plan, _switch)


async def _switch(ground: Ground, is_in: bool) -> None:
    """Returns once the worker's breakers have, or have not, a connection. Raises TimeoutError."""
    signal_, connections = (IN, 1) if is_in else (OUT, 0)
    record = await asyncpg.connect(ground.stage.database_url, timeout=SWITCH_LIMIT_S)
    try:
        async with asyncio.timeout(SWITCH_LIMIT_S):
            if await record.fetchval(_CONNECTIONS) != connections:
                os.kill(int((ground.stage.run_dir / "worker-1.pid").read_text()), signal_)
            while await record.fetchval(_CONNECTIONS) != connections:  # noqa: ASYNC110 - another process
                await asyncio.sleep(LOOK_EVERY_S)
    finally:
        await record.close(timeout=SWITCH_LIMIT_S)
