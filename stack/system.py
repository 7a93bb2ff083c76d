"""The whole system: its ports, its settings, and its parts in their order."""

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, create_model
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.tokens.caller import Scope
from api.tokens.store import new_token
from config.settings import Port
from partners.catalogue import PARTNERS
from partners.declaration import Engine
from stack import postgres
from stack.engines import ENGINES, engine_parts
from stack.parts import Part, always, answering, listening
from stack.ports import LOOPBACK, free_port
from temporal.attributes import NAMES
from trip.partner import Partner, declared

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
GARBAGE_PERCENT = "400"
"""How far Temporal's heap grows between two collections, in percent of what is in use (Go's GOGC).

The heap is small. With Go's own 100, collecting took a third of the server's CPU.
"""
_ANY_HOST = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104 - nothing listens on it here
"""Where a service is reached that listens on every address."""


if TYPE_CHECKING:
    _PartnerPorts = BaseSettings
else:
    _PartnerPorts = create_model(
        "_PartnerPorts",
        __base__=BaseSettings,
        **{f"{partner.name}_port": (Port, partner.port) for partner in PARTNERS},
    )


class Ports(_PartnerPorts):
    """The ports that can be chosen, among them a `NAME_port` for each partner; engines take free ones."""

    model_config = SettingsConfigDict(env_prefix="TRIPS_", extra="ignore")

    api_port: Port = 8000
    temporal_port: Port = 7233
    temporal_ui_port: Port = 8233
    temporal_metrics_port: Port | None = None

    def partner(self, partner: Partner) -> int:
        """The port of a bundled partner."""
        port: int = getattr(self, f"{partner.value}_port")
        return port


class Chosen(BaseSettings):
    """The other settings of `make up`."""

    model_config = SettingsConfigDict(env_prefix="TRIPS_", extra="ignore")

    data_dir: Path = Path(".data")
    host: str = LOOPBACK
    workers: Annotated[int, Field(ge=1, le=64)] = 1


def free_ports() -> Ports:
    """Free ports for everything, for a system beside others."""
    return Ports.model_validate({name: free_port() for name in Ports.model_fields})


@dataclass(frozen=True)
class System:
    """One system: its directory, its ports and its parts."""

    data_dir: Path
    ports: Ports
    workers: int = 1
    host: str = LOOPBACK
    engine_ports: dict[Engine, int] = field(default_factory=lambda: {name: free_port() for name in ENGINES})

    @property
    def run_dir(self) -> Path:
        """The directory of process ids and of `stack.json`, which says where each part answers."""
        return self.data_dir / "run"

    def url(self, port: int) -> str:
        """The URL of one of the project's own services."""
        host = _ANY_HOST.get(self.host, self.host)
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def temporal_ui_url(self) -> str:
        """The URL of the embedded Temporal's UI."""
        return f"http://{LOOPBACK}:{self.ports.temporal_ui_port}"

    def engine_urls(self) -> dict[str, str]:
        """Where each partner's engine is."""
        return {
            partner.name: ENGINES[partner.engine].format(
                port=self.engine_ports[partner.engine], partner=partner.name
            )
            for partner in PARTNERS
        }

    @property
    def tokens_file(self) -> Path:
        """The file of the first start's tokens, one a scope: `{"traveller": "…", "operator": "…"}`."""
        return self.data_dir / "tokens.json"

    def tokens(self) -> dict[str, str]:
        """The content of `tokens_file`. Raises OSError and ValueError."""
        tokens: dict[str, str] = json.loads(self.tokens_file.read_text())
        return tokens

    @property
    def database_url(self) -> str:
        """The URL of the trips' record."""
        return os.environ.get("DATABASE_URL") or postgres.url(self.engine_ports["postgres"], "trips")

    @property
    def direct_database_url(self) -> str:
        """The URL of the trips' record past any pooler."""
        return os.environ.get("TRIPS_DATABASE_DIRECT_URL") or self.database_url

    @property
    def temporal_address(self) -> str:
        """The address of Temporal's server."""
        return os.environ.get("TEMPORAL_ADDRESS") or f"127.0.0.1:{self.ports.temporal_port}"

    def describe(self) -> dict[str, object]:
        """The content of `stack.json`."""
        return {
            "api": self.url(self.ports.api_port),
            "temporal": self.temporal_address,
            "temporal_ui": self.temporal_ui_url,
            "database_url": self.direct_database_url,
            "partners": {partner.value: self.url(self.ports.partner(partner)) for partner in Partner},
            "engines": self.engine_urls(),
        }

    def environment(self) -> dict[str, str]:
        """The environment of the project's own processes. The caller's own settings come first."""
        told = {
            "TRIPS_LAB": "1",
            "TRIPS_HOST": self.host,
            "TRIPS_API_PORT": str(self.ports.api_port),
            "TRIPS_TEMPORAL_UI_URL": self.temporal_ui_url,
            "DATABASE_URL": self.database_url,
            "TEMPORAL_ADDRESS": self.temporal_address,
        }
        for partner in Partner:
            name = f"TRIPS_{partner.value.upper()}"
            told[f"{name}_PORT"] = str(self.ports.partner(partner))
            told[f"{name}_URL"] = self.url(self.ports.partner(partner))
            told[f"{name}_ENGINE_URL"] = self.engine_urls()[partner.value]
        return told | {name: os.environ[name] for name in told if name in os.environ and "_PORT" not in name}

    def parts(self) -> list[Part]:
        """Every process, each after what it needs."""
        partners = [self._partner(partner) for partner in Partner]
        workers = [self._worker(number) for number in range(1, self.workers + 1)]
        prepared = [self._migration(), self._registration()]
        return [
            *engine_parts(self.data_dir, self.engine_ports),
            *self._temporal(),
            *prepared,
            *partners,
            *workers,
            self._api(),
        ]

    async def prepare(self) -> None:
        """Make the directories, the tokens and the database cluster that are missing."""
        for name in ("mongo", "redis", "falkordb", "temporal"):
            (self.data_dir / name).mkdir(parents=True, exist_ok=True)
        _make_tokens(self.tokens_file)
        (self.run_dir / "stack.json").write_text(json.dumps(self.describe(), indent=2) + "\n")
        await postgres.prepare(self.data_dir / "postgres")

    def _temporal(self) -> list[Part]:
        if os.environ.get("TEMPORAL_ADDRESS"):
            return []
        port, ui_port = self.ports.temporal_port, self.ports.temporal_ui_port
        command = [str(BIN / "temporal"), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(port)]
        command += [
            "--ui-port",
            str(ui_port),
            "--db-filename",
            str(self.data_dir / "temporal" / "temporal.db"),
        ]
        command += ["--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL"]
        command += ["--log-level", "error", "--ui-disable-news-fetch"]
        # The server's timers are as coarse as this, and so is the shortest retry delay.
        command += ["--dynamic-config-value", 'history.timerProcessorMaxTimeShift="10ms"']
        if self.ports.temporal_metrics_port:
            command += ["--metrics-port", str(self.ports.temporal_metrics_port)]
        for name in NAMES:
            command += ["--search-attribute", f"{name}=Keyword"]
        return [
            Part(
                "temporal",
                command,
                listening(port),
                port=port,
                port_variable="TRIPS_TEMPORAL_PORT",
                env={"GOGC": os.environ.get("GOGC", GARBAGE_PERCENT)},
            ),
        ]

    def _migration(self) -> Part:
        # dbmate demands TLS by default.
        url = self.direct_database_url
        url = url if "?" in url else f"{url}?sslmode=disable"
        command = [
            str(BIN / "dbmate"),
            "--migrations-dir",
            str(ROOT / "record" / "migrations"),
            "--no-dump-schema",
        ]
        return Part(
            "migrate",
            [*command, "--wait", "migrate"],
            always,
            needs=("postgres",),
            env={"DATABASE_URL": url},
            once=True,
        )

    def _registration(self) -> Part:
        return self._own(
            "tokens",
            ["-m", "api.tokens", "register", str(self.tokens_file)],
            ready=always,
            needs=("migrate",),
            once=True,
        )

    def _used(self) -> tuple[str, ...]:
        return ("temporal", *(partner.value for partner in Partner))

    def _own(self, name: str, module: list[str], **more: object) -> Part:
        command = [sys.executable, *module]
        return Part(name, command, env=self.environment(), cwd=ROOT, **more)  # type: ignore[arg-type]

    def _partner(self, partner: Partner) -> Part:
        port = self.ports.partner(partner)
        return self._own(
            partner.value,
            ["-m", "partners", partner.value],
            ready=answering(f"{self.url(port)}/healthz"),
            needs=(declared(partner).engine,),
            port=port,
            host=self.host,
            port_variable=f"TRIPS_{partner.value.upper()}_PORT",
        )

    def _worker(self, number: int) -> Part:
        return self._own(
            f"worker-{number}", ["worker.py"], ready=always, needs=("migrate",), uses=self._used()
        )

    def _api(self) -> Part:
        return self._own(
            "api",
            ["-m", "api"],
            ready=answering(f"{self.url(self.ports.api_port)}/readyz"),
            needs=("migrate",),
            uses=self._used(),
            port=self.ports.api_port,
            host=self.host,
            port_variable="TRIPS_API_PORT",
        )


def _make_tokens(path: Path) -> None:
    if path.exists():
        return
    tokens = {scope.value: new_token() for scope in Scope}
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(tokens, file, indent=2)
