"""A fresh system for one variant, and the driver's ways to reach it."""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from stack.engines import engine_parts
from stack.parts import Part, answering
from stack.runner import running
from stack.system import ROOT, System, free_ports
from tests.traveller import Traveller
from trials.bench.buys.variants import COMMON, VARIANTS, Carrier, Variant
from trip.partner import Partner

CONNECTIONS = 400
CALL_LIMIT = aiohttp.ClientTimeout(total=75)


@dataclass(frozen=True)
class Stage(System):
    """The embedded system as the variant has it; the front door answers at the same port in each."""

    variant: Variant = VARIANTS[0]
    seed: int = 0

    def environment(self) -> dict[str, str]:
        """What the system's own processes are told."""
        return super().environment() | COMMON | dict(self.variant.settings)

    def parts(self) -> list[Part]:
        """Every process, each after what it needs."""
        if self.variant.carrier is Carrier.WORKFLOW:
            return super().parts()
        return [
            *engine_parts(self.data_dir, self.engine_ports),
            self._migration(),
            *map(self._partner, Partner),
            self._in_memory(),
        ]

    def _worker(self, number: int) -> Part:
        part = super()._worker(number)
        removed = self.variant.removed
        return _running(part, "trials.bench.buys.without", removed) if removed else part

    def _partner(self, partner: Partner) -> Part:
        return _running(super()._partner(partner), "trials.bench.buys.partner", partner.value, str(self.seed))

    def _in_memory(self) -> Part:
        address = self.url(self.ports.api_port)
        return Part(
            self.variant.process,
            [sys.executable, "-m", "trials.bench.buys.in_memory", self.variant.carrier],
            answering(f"{address}/healthz"),
            needs=("migrate",),
            uses=tuple(partner.value for partner in Partner),
            env=self.environment(),
            cwd=ROOT,
        )


def _running(part: Part, module: str, *arguments: str) -> Part:
    return replace(part, command=[sys.executable, "-m", module, *arguments])


@dataclass(frozen=True)
class Ground:
    """Where everything answers while the stage is up; `traveller` carries the operator's token."""

    stage: Stage
    http: aiohttp.ClientSession
    traveller: Traveller

    @property
    def variant(self) -> Variant:
        """What is left out here."""
        return self.stage.variant

    def partner_url(self, partner: Partner) -> str:
        """Where a partner answers."""
        return self.stage.url(self.stage.ports.partner(partner))

    def kill(self) -> None:
        """`kill -9` of the process that carries the trips, which its supervisor starts again."""
        pid = int((self.stage.run_dir / f"{self.variant.process}.pid").read_text())
        os.kill(pid, signal.SIGKILL)


@contextlib.asynccontextmanager
async def staged(variant: Variant, seed: int, stop: asyncio.Event) -> AsyncIterator[Ground]:
    """The variant's system in a temporary place, up while the context is open."""
    with tempfile.TemporaryDirectory(prefix="trips-buys-", ignore_cleanup_errors=True) as place:
        stage = Stage(Path(place) / "data", free_ports(), variant=variant, seed=seed)
        with (Path(place) / "system.log").open("a") as log:

            def say(name: str, line: str) -> None:
                print(f"{name:>10} | {line}", file=log, flush=True)

            async with running(stage, say, stop), _session() as http:
                yield Ground(stage, http, _traveller(stage, http))


def _session() -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    return aiohttp.ClientSession(connector=connector, timeout=CALL_LIMIT)


def _traveller(stage: Stage, http: aiohttp.ClientSession) -> Traveller:
    partners = {partner.value: stage.url(stage.ports.partner(partner)) for partner in Partner}
    return Traveller(http, stage.url(stage.ports.api_port), partners, stage.tokens()["operator"])
