"""A fresh embedded system with the peers beside it, and the driver's ways to reach all of them."""

import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from temporalio.client import Client

from stack import postgres
from stack.parts import Check, Part, always, answering
from stack.ports import free_port
from stack.runner import running
from stack.system import ROOT, Ports, System, free_ports
from trials.bench.contest.peer import DBOS, DBOS_PORT, DBOS_URL, ON_TEMPORAL
from trip.partner import Partner

ENVIRONMENT = {
    # Nothing of the system's own comes between.
    "TRIPS_PROBE_INTERVAL_S": "3600",
    "TRIPS_AUDIT_INTERVAL_S": "86400",
    # One token books it all.
    "TRIPS_REQUESTS_PER_MINUTE": "1000000",
    # For this project and its peers alike; by default a trip that fails takes half a minute.
    "TRIPS_RETRY_BASE_S": "0.2",
    "TRIPS_RETRY_CAP_S": "2",
    "TRIPS_RETRY_ATTEMPTS": "5",
}
CONNECTIONS = 1100
CALL_LIMIT = aiohttp.ClientTimeout(total=70)


@dataclass(frozen=True)
class Stage(System):
    """The system alone, as it is measured."""

    def environment(self) -> dict[str, str]:
        """What the system's own processes are told."""
        return super().environment() | ENVIRONMENT

    def peers(self) -> dict[str, str]:
        """Where the peers that have an address of their own answer."""
        return {}


@dataclass(frozen=True)
class Arena(Stage):
    """The system, with the peers as further parts of it."""

    dbos_port: int = field(default_factory=free_port)

    def parts(self) -> list[Part]:
        """Every process, each after what it needs."""
        healthy = answering(f"{self.peers()[DBOS]}/healthz")
        peers = [self._peer(name, always) for name in ON_TEMPORAL]
        return [*super().parts(), *peers, self._peer(DBOS, healthy)]

    def peers(self) -> dict[str, str]:
        """The one that is not on Temporal."""
        return {DBOS: self.url(self.dbos_port)}

    def _peer(self, name: str, ready: Check) -> Part:
        database = postgres.url(self.engine_ports["postgres"], postgres.SUPERUSER, "contest_dbos")
        return Part(
            name,
            [sys.executable, "-m", "trials.bench.contest.peer", name],
            ready,
            needs=("migrate", "temporal"),
            uses=tuple(partner.value for partner in Partner),
            env=self.environment() | {DBOS_URL: database, DBOS_PORT: str(self.dbos_port)},
            cwd=ROOT,
        )


@dataclass(frozen=True)
class Ground:
    """Where everything answers. `front_door` carries the operator's token, `http` is for all others."""

    stage: Stage
    data_dir: Path
    api: str
    partners: Mapping[str, str]
    temporal_metrics: str
    peers: Mapping[str, str]
    temporal: Client
    http: aiohttp.ClientSession
    front_door: aiohttp.ClientSession


@contextlib.asynccontextmanager
async def fresh_ground(
    stop: asyncio.Event, staged: Callable[[Path, Ports], Stage] = Arena
) -> AsyncIterator[Ground]:
    """A system in a temporary place, up while the context is open; `stop` ends its start early."""
    with tempfile.TemporaryDirectory(prefix="trips-contest-", ignore_cleanup_errors=True) as place:
        stage = staged(Path(place) / "data", free_ports())
        with (Path(place) / "system.log").open("a") as log:

            def say(name: str, line: str) -> None:
                print(f"{name:>10} | {line}", file=log, flush=True)

            async with running(stage, say, stop), _reaching(stage) as ground:
                yield ground


@contextlib.asynccontextmanager
async def _reaching(stage: Stage) -> AsyncIterator[Ground]:
    temporal = await Client.connect(stage.temporal_address)
    async with _session() as http, _session(_operator(stage.data_dir)) as front_door:
        yield Ground(
            stage=stage,
            data_dir=stage.data_dir,
            api=stage.url(stage.ports.api_port),
            partners={partner.value: stage.url(stage.ports.partner(partner)) for partner in Partner},
            temporal_metrics=f"{stage.url(stage.ports.temporal_metrics_port or 0)}/metrics",
            peers=stage.peers(),
            temporal=temporal,
            http=http,
            front_door=front_door,
        )


def _session(headers: Mapping[str, str] | None = None) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    return aiohttp.ClientSession(connector=connector, headers=headers, timeout=CALL_LIMIT)


def _operator(data_dir: Path) -> dict[str, str]:
    """The operator's token of a system, as its front door takes it; none where it has none."""
    tokens = data_dir / "tokens.json"
    if not tokens.exists():
        return {}
    return {"Authorization": f"Bearer {json.loads(tokens.read_text())['operator']}"}
