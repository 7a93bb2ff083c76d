"""Faults at the partners and kills of processes, for as long as they are wanted."""

import asyncio
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from trials.chaos import plan
from trials.chaos.client import Client
from trials.chaos.plan import PlannedFaults, PlannedKill
from trials.orders import Json
from trials.polling import until
from trip.partner import Partner

REPEAT_S = 1.0
END_LIMIT_S = 30.0
CUT = "dropped"
STORE = "jetstream"
"""Where the broker keeps its streams and consumers, in its directory."""


@dataclass
class Weather:
    client: Client
    kills: Counter[str] = field(default_factory=Counter)
    stops: Counter[str] = field(default_factory=Counter)
    losses: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)

    async def rage(self, seed: int, stop: asyncio.Event) -> None:
        """Faults and kills as the seed has them until `stop` is set; then nothing is left stopped."""
        async with asyncio.TaskGroup() as group:
            for partner in Partner:
                group.create_task(self._break(partner.value, plan.faults(seed, partner.value), stop))
            group.create_task(self._kill(plan.kills(seed), stop))

    async def clear(self) -> None:
        """End all faults. Raises TimeoutError if a partner does not come back."""
        async with asyncio.timeout(END_LIMIT_S):
            for partner in Partner:
                await until(lambda partner=partner: self._mended(partner), END_LIMIT_S)  # type: ignore[misc]

    async def _mended(self, partner: str) -> bool:
        return await self.client.lab("DELETE", partner, "/lab/faults") is not None

    async def damage(self) -> Json:
        """All of it, when all is over; calls are faulty if they were answered 5xx or 429."""
        await self.count_calls(*Partner)
        faulty = sum(n for outcome, n in self.calls.items() if outcome == "429" or outcome[0] == "5")
        return {
            "kill -9": self.kills,
            "stopped": self.stops,
            "stores lost": self.losses,
            "calls to partners": self.calls.total(),
            "faulty": faulty,
            "cut after the effect": self.calls[CUT],
        }

    async def count_calls(self, *partners: str) -> None:
        """Add up the partners' calls, which each keeps only as long as it lives."""
        for partner in partners:
            page = await self.client.lab("GET", partner, "/lab/calls?limit=100000")
            self.calls.update(str(call["outcome"]) for call in (page or {"items": []})["items"])

    async def _break(self, partner: str, planned: Iterator[PlannedFaults], stop: asyncio.Event) -> None:
        now = asyncio.get_running_loop().time
        for faults in planned:
            deadline = now() + faults.for_s
            while now() < deadline:
                # Again and again, since a partner that was killed has forgotten them.
                await self.client.lab("PUT", partner, "/lab/faults", faults.faults)
                if await _set_within(stop, min(REPEAT_S, max(0.0, deadline - now()))):
                    return

    async def _kill(self, planned: Iterator[PlannedKill], stop: asyncio.Event) -> None:
        for kill in planned:
            if await _set_within(stop, kill.gap_s):
                return
            if kill.loses_store:
                await self._lose_store(kill.process)
                continue
            if kill.stop_s is not None:
                await self._stop_for(kill.process, kill.stop_s)
                continue
            if kill.process in self.client.world.partners:
                await self.count_calls(kill.process)
            self.kills[kill.process] += self.client.world.kill(kill.process)

    async def _lose_store(self, process: str) -> None:
        """Kill a process so that it never sees its store again. Stopped, it writes nothing in between."""
        world = self.client.world
        if not world.signal(process, signal.SIGSTOP):
            return
        try:
            await asyncio.to_thread(shutil.rmtree, world.data_dir / process / STORE)
        finally:
            world.kill(process)
        self.losses[process] += 1

    async def _stop_for(self, process: str, stop_s: float) -> None:
        world = self.client.world
        if not world.signal(process, signal.SIGSTOP):
            return
        self.stops[process] += 1
        try:
            await asyncio.sleep(stop_s)
        finally:
            world.signal(process, signal.SIGCONT)


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
