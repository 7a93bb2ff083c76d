"""What closed breakers cost a trip: the same worker with them and without them, turn by turn."""

import asyncio
import os
import signal
from typing import Any

import asyncpg

from bench.contest.ground import Ground, fresh_ground
from bench.growth.phases import Rounds, say, side_by_side, warm_up
from bench.growth.stages import SwitchedStage
from bench.growth.switched_worker import IN, OUT

ON, OFF = "closed breakers", "no breakers"
SWITCH_LIMIT_S = 10.0
LOOK_EVERY_S = 0.1

_CONNECTIONS = "select count(*) from pg_stat_activity where application_name = 'breaker'"


async def measured(stop: asyncio.Event, plan: Rounds) -> dict[str, Any]:
    """`phases` of both, round by round, and what went `wrong`.

    Two systems run side by side, one with its breakers and one without, and exchange them between rounds.
    """
    found: dict[str, Any] = {"in_flight": plan.in_flight, "phases": {ON: [], OFF: []}, "wrong": []}
    async with fresh_ground(stop, SwitchedStage) as one, fresh_ground(stop, SwitchedStage) as other:
        for ground in (one, other):
            await warm_up(ground)
        for number in range(plan.rounds):
            on, off = (one, other) if number % 2 == 0 else (other, one)
            await _switch(on, IN, connections=1)
            await _switch(off, OUT, connections=0)
            phases, wrong = await side_by_side((on, off), plan)
            found["wrong"] += wrong
            for name, figures in zip((ON, OFF), phases, strict=True):
                found["phases"][name].append(figures)
                say(f"round {number + 1}", name, figures)
    return found


async def _switch(ground: Ground, signal_: signal.Signals, connections: int) -> None:
    """Returns once the worker's breakers have, or have not, a connection. Raises TimeoutError."""
    record = await asyncpg.connect(ground.stage.database_url, timeout=SWITCH_LIMIT_S)
    try:
        async with asyncio.timeout(SWITCH_LIMIT_S):
            if await record.fetchval(_CONNECTIONS) != connections:
                os.kill(int((ground.stage.run_dir / "worker-1.pid").read_text()), signal_)
            while await record.fetchval(_CONNECTIONS) != connections:  # noqa: ASYNC110 - another process
                await asyncio.sleep(LOOK_EVERY_S)
    finally:
        await record.close(timeout=SWITCH_LIMIT_S)
