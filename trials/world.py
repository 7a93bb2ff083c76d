"""A running system: where its parts answer, how to start one for a trial, and how to hurt its processes."""

import asyncio
import contextlib
import json
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import aiohttp
import psutil
from temporalio.client import Client
from temporalio.converter import DataConverter

from audit.run import Endpoints
from config.codec import Codec, codec_of
from config.keys import KEYS_FILE
from config.temporal import data_converter
from serving.upstream import Upstream
from stack.chosen import Ports, free_ports
from stack.parts import Check, Part, always
from stack.runner import running
from stack.surroundings import forget_all
from stack.system import ROOT, System
from trials.traveller import Traveller
from trip.partner import Partner

CONNECTIONS = 1100
CALL_LIMIT = aiohttp.ClientTimeout(total=75)

QUIET = {
    # Nothing of the system's own comes between, and one token books all trips.
    "TRIPS_PROBE_INTERVAL_S": "3600",
    "TRIPS_AUDIT_INTERVAL_S": "86400",
    "TRIPS_REQUESTS_PER_MINUTE": "1000000",
}


@dataclass(frozen=True)
class World:
    """Where the parts of a running system answer; `tokens` has one token of each scope.

    `superuser_url` leads to the embedded PostgreSQL, also if the record is elsewhere.
    """

    data_dir: Path
    ports: Ports
    tokens: dict[str, str]
    api: str
    temporal: str
    temporal_ui: str
    database_url: str
    superuser_url: str
    partners: dict[str, str]
    engines: dict[str, str]
    nats: str
    metrics: dict[str, str]

    @property
    def run_dir(self) -> Path:
        """Holds a `NAME.pid` for each part that runs."""
        return self.data_dir / "run"

    def traveller(self, http: aiohttp.ClientSession, scope: str = "operator") -> Traveller:
        """Calls with one of the tokens; an operator may also override breakers."""
        return Traveller(http, self.api, self.partners, self.tokens[scope])

    def codec(self) -> Codec | None:
        """What encrypts payloads for Temporal."""
        return codec_of((self.data_dir / KEYS_FILE).read_text())

    def converter(self) -> DataConverter:
        """That of the system's own clients of Temporal."""
        return data_converter(self.codec())

    def endpoints(self) -> Endpoints:
        partners = {partner: Upstream(self.partners[partner.value]) for partner in Partner}
        return Endpoints(database_url=self.database_url, partners=partners, temporal=self.temporal)

    def pid(self, name: str) -> int:
        """The process id of a part. Raises FileNotFoundError while the part is between two lives."""
        return int((self.run_dir / f"{name}.pid").read_text())

    def kill(self, name: str) -> bool:
        """`kill -9` of a part, which its supervisor starts again; whether it ran."""
        return self.signal(name, signal.SIGKILL)

    def signal(self, name: str, number: signal.Signals) -> bool:
        """Send a signal to a part; whether it ran.

        Stop and continue also reach its children: a stopped postmaster alone would go on serving.
        """
        try:
            process = psutil.Process(self.pid(name))
            children = [] if number is signal.SIGKILL else process.children(recursive=True)
        except (FileNotFoundError, psutil.NoSuchProcess):
            return False
        for one in (process, *children):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(number)
        return True


def described(data_dir: Path) -> dict[str, object]:
    """What a system writes of itself when it starts, by the names of World's fields."""
    places: dict[str, object] = json.loads((data_dir / "run" / "stack.json").read_text())
    return {**places, "data_dir": data_dir, "tokens": json.loads((data_dir / "tokens.json").read_text())}


def _as_they_are(_stage: "Stage", parts: list[Part]) -> list[Part]:
    return parts


@dataclass(frozen=True)
class Stage(System):
    """The embedded system with `settings` of its own, its parts changed by `arrange`."""

    settings: Mapping[str, str] = field(default_factory=dict)
    arrange: Callable[["Stage", list[Part]], list[Part]] = _as_they_are

    def environment(self) -> dict[str, str]:
        return super().environment() | dict(self.settings)

    def parts(self) -> list[Part]:
        return self.arrange(self, super().parts())

    def further(
        self, name: str, *module: str, ready: Check = always, needs: tuple[str, ...] = ("migrate",)
    ) -> Part:
        """A further process: a module of the project and its arguments."""
        return running_module(
            Part(name, (), ready, needs, uses=tuple(Partner), env=self.environment(), cwd=ROOT), *module
        )


def running_module(part: Part, *module: str) -> Part:
    return replace(part, command=[sys.executable, "-m", *module])


class Ground(NamedTuple):
    """A world, and the driver's ways to reach it; the traveller has the operator's token."""

    world: World
    traveller: Traveller
    temporal: Client

    @property
    def http(self) -> aiohttp.ClientSession:
        """For all that is not the front door."""
        return self.traveller.http


@contextlib.asynccontextmanager
async def started(
    settings: Mapping[str, str],
    *,
    workers: int = 1,
    arrange: Callable[[Stage, list[Part]], list[Part]] = _as_they_are,
    home: Path | None = None,
) -> AsyncIterator[World]:
    """A system, up while the context is open, in `home` or in a temporary directory."""
    forget_all()
    with contextlib.ExitStack() as files:
        place = home or Path(
            files.enter_context(tempfile.TemporaryDirectory(prefix="trips-", ignore_cleanup_errors=True))
        )
        log = files.enter_context((place / "system.log").open("a"))
        stage = Stage(place / "data", free_ports(), workers, settings=settings, arrange=arrange)

        def say(name: str, line: str) -> None:
            print(f"{name:>10} | {line}", file=log, flush=True)

        async with running(stage, say, asyncio.Event()):
            yield World(ports=stage.ports, **described(stage.data_dir))  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def fresh_ground(
    settings: Mapping[str, str],
    *,
    workers: int = 1,
    arrange: Callable[[Stage, list[Part]], list[Part]] = _as_they_are,
) -> AsyncIterator[Ground]:
    """A system of its own, and a driver who can hold CONNECTIONS open."""
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with (
        started(settings, workers=workers, arrange=arrange) as world,
        aiohttp.ClientSession(connector=connector, timeout=CALL_LIMIT) as http,
    ):
        yield Ground(world, world.traveller(http), await Client.connect(world.temporal, lazy=True))
