"""The whole system: where its parts are, what they are told, and their order."""

import json
import os
import pwd
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from api.tokens.store import FIRST_TOKENS, new_token
from choreography.sealing import new_key
from config.keys import KEYS as CODEC_KEYS
from config.keys import KEYS_FILE, new_keys
from partners.catalogue import PARTNERS
from partners.declaration import Engine
from stack import nats, place, postgres
from stack.chosen import Ports
from stack.engines import ENGINES, engine_parts, prepare
from stack.parts import Part, always, answering
from stack.passwords import Passwords, keep, passwords_of
from stack.ports import LOOPBACK, free_port
from stack.temporal import temporal_part
from trip.partner import PAYMENT, Partner, declared

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
MIGRATION_OPTIONS = "-c lock_timeout=5s"
"""A migration that waits for a lock makes all others wait behind it, so it gives up."""
SEAL_KEY = "TRIPS_SEAL_KEY"
"""The variable of the seal's key. Of the partners, only the payment partner opens card tokens."""
_ANY_HOST = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104 - nothing listens on it here
"""Where a service is reached that listens on every address."""


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

    @cached_property
    def worker_ports(self) -> list[int]:
        """Where each worker says how it is: TRIPS_WORKER_PORT and those after it, or free ones."""
        first = self.ports.worker_port
        return [free_port() if first is None else first + number for number in range(self.workers)]

    @cached_property
    def adapter_ports(self) -> dict[Partner, int]:
        """Where the adapter of each partner that has one says how it is."""
        return {partner: free_port() for partner in Partner if _is_elsewhere(partner)}

    def metrics(self) -> dict[str, str]:
        """The URLs of `/metrics`, by the process that serves it."""
        ports = {f"worker-{number}": port for number, port in enumerate(self.worker_ports, 1)}
        ports |= {f"{partner.value}-adapter": port for partner, port in self.adapter_ports.items()}
        ports |= {"api": self.ports.api_port, "trips": self.ports.trips_port}
        urls = {name: f"{self.url(port)}/metrics" for name, port in ports.items()}
        if self.ports.temporal_metrics_port:
            urls["temporal"] = f"http://{LOOPBACK}:{self.ports.temporal_metrics_port}/metrics"
        return urls

    @property
    def temporal_ui_url(self) -> str:
        """The URL of the embedded Temporal's UI."""
        return f"http://{LOOPBACK}:{self.ports.temporal_ui_port}"

    def engine_urls(self) -> dict[str, str]:
        """Where each partner's engine is."""
        return {
            partner.name: ENGINES[partner.engine](
                self.engine_ports[partner.engine], self.passwords, partner.name
            )
            for partner in PARTNERS
        }

    @cached_property
    def passwords(self) -> Passwords:
        """Those of the embedded engines."""
        return passwords_of(self.data_dir)

    @property
    def tokens_file(self) -> Path:
        """The file of the first start's tokens: `{"traveller": "…", "operator": "…"}`."""
        return self.data_dir / "tokens.json"

    def tokens(self) -> dict[str, str]:
        """The content of `tokens_file`. Raises OSError and ValueError."""
        tokens: dict[str, str] = json.loads(self.tokens_file.read_text())
        return tokens

    @property
    def database_url(self) -> str:
        """The URL of the trips' record."""
        return os.environ.get("DATABASE_URL") or self.postgres_url(postgres.RECORD)

    def postgres_url(self, role: str, database: str = postgres.DATABASE) -> str:
        """The URL by which a role reaches a database of the embedded PostgreSQL."""
        return postgres.url(self.engine_ports["postgres"], role, self.passwords.of(role), database)

    @property
    def direct_database_url(self) -> str:
        """The URL of the trips' record past any pooler."""
        return os.environ.get("TRIPS_DATABASE_DIRECT_URL") or self.database_url

    @property
    def temporal_address(self) -> str:
        """The address of Temporal's server."""
        return os.environ.get("TEMPORAL_ADDRESS") or f"127.0.0.1:{self.ports.temporal_port}"

    @property
    def nats_url(self) -> str:
        """The URL of the broker."""
        return os.environ.get("NATS_URL") or nats.url(self.ports.nats_port, self.passwords.of("nats"))

    @cached_property
    def seal_key(self) -> str:
        """The key that seals card tokens on their way through the broker; the first start draws it."""
        return _kept(self._seal_key_file) or new_key()

    @property
    def _seal_key_file(self) -> Path:
        return self.data_dir / "seal.key"

    @cached_property
    def codec_keys(self) -> str:
        """The keys that encrypt what Temporal keeps of trips; the first start draws one."""
        return _kept(self._codec_keys_file) or new_keys()

    @property
    def _codec_keys_file(self) -> Path:
        return self.data_dir / KEYS_FILE

    def describe(self) -> dict[str, object]:
        """The content of `stack.json`."""
        return {
            "api": self.url(self.ports.api_port),
            "temporal": self.temporal_address,
            "temporal_ui": self.temporal_ui_url,
            "database_url": self.direct_database_url,
            "superuser_url": self.postgres_url(postgres.SUPERUSER),
            "partners": {partner.value: self.url(self.ports.partner(partner)) for partner in Partner},
            "engines": self.engine_urls(),
            "nats": self.nats_url,
            "metrics": self.metrics(),
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
            "NATS_URL": self.nats_url,
            SEAL_KEY: self.seal_key,
            CODEC_KEYS: self.codec_keys,
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
        adapters = [self._adapter(partner, port) for partner, port in self.adapter_ports.items()]
        workers = [self._worker(number) for number in range(1, self.workers + 1)]
        prepared = [self._migration(), self._registration()]
        return [
            *engine_parts(self.data_dir, self.engine_ports, self.passwords),
            *self._temporal(),
            *self._nats(),
            *prepared,
            *partners,
            *adapters,
            *workers,
            *self._release(),
            self._trips(),
            self._api(),
        ]

    def shut(self) -> None:
        """Make the data directory this user's alone. Raises PlaceError."""
        user = postgres.system_user()
        account = None if user is None else pwd.getpwnam(user)
        place.own_directory(self.data_dir, account and account.pw_gid)
        place.shut(self.data_dir, *([account.pw_uid] if account else []))

    async def prepare(self) -> None:
        """Make the directories, the tokens and keys, and what the engines need, as far as it is missing."""
        (self.data_dir / "temporal").mkdir(exist_ok=True)
        _make_secret(self.tokens_file, json.dumps({name: new_token() for name in FIRST_TOKENS}, indent=2))
        _make_secret(self._seal_key_file, self.seal_key)
        _make_secret(self._codec_keys_file, self.codec_keys)
        place.write(self.run_dir / "stack.json", json.dumps(self.describe(), indent=2) + "\n")
        if not os.environ.get("NATS_URL"):
            nats.prepare(self.data_dir / "nats", self.ports.nats_port, self.passwords.of("nats"))
        await prepare(self.data_dir, self.passwords)
        keep(self.data_dir, self.passwords)

    def _temporal(self) -> list[Part]:
        if os.environ.get("TEMPORAL_ADDRESS"):
            return []
        ports, codec = self.ports, f"{self.url(self.ports.api_port)}/codec"
        return [
            temporal_part(
                self.data_dir / "temporal",
                ports.temporal_port,
                ports.temporal_ui_port,
                ports.temporal_metrics_port,
                codec,
            )
        ]

    def _nats(self) -> list[Part]:
        if os.environ.get("NATS_URL"):
            return []
        return [nats.nats_part(self.data_dir / "nats", self.ports.nats_port)]

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
            env={"DATABASE_URL": url, "PGOPTIONS": MIGRATION_OPTIONS},
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
        return ("temporal", "nats", *(partner.value for partner in Partner))

    def _own(self, name: str, module: list[str], **more: Any) -> Part:
        given = {"env": self.environment(), "cwd": ROOT, **more}
        return Part(name, [sys.executable, *module], **given)

    def _partner(self, partner: Partner) -> Part:
        port = self.ports.partner(partner)
        # Two that take part for one partner would share its messages.
        room = "partners" if _is_elsewhere(partner) else "choreography"
        return self._own(
            partner.value,
            ["-m", room, partner.value],
            env=self._partner_environment(partner),
            ready=answering(f"{self.url(port)}/healthz"),
            needs=(declared(partner).engine,),
            uses=("nats",),
            port=port,
            host=self.host,
            port_variable=f"TRIPS_{partner.value.upper()}_PORT",
        )

    def _adapter(self, partner: Partner, port: int) -> Part:
        return self._own(
            f"{partner.value}-adapter",
            ["-m", "choreography", "adapter", partner.value],
            env=self._partner_environment(partner) | {"TRIPS_ADAPTER_PORT": str(port)},
            ready=always,
            needs=("migrate",),
            uses=("nats",),
            port=port,
            host=self.host,
        )

    def _partner_environment(self, partner: Partner) -> dict[str, str]:
        env = self.environment()
        del env[CODEC_KEYS]
        if partner is not PAYMENT:
            del env[SEAL_KEY]
        return env

    def _worker(self, number: int) -> Part:
        port = self.worker_ports[number - 1]
        return self._own(
            f"worker-{number}",
            ["worker.py"],
            env=self.environment() | {"TRIPS_WORKER_PORT": str(port)},
            ready=always,
            needs=("migrate",),
            uses=self._used(),
            port=port,
            host=self.host,
            port_variable="TRIPS_WORKER_PORT",
        )

    def _release(self) -> list[Part]:
        """The build of this system's workers is made current, since there are no others."""
        build_id = os.environ.get("TRIPS_BUILD_ID")
        if not build_id:
            return []
        command = ["-m", "builds", "release", build_id, "--steps", "none", "--watch", "0"]
        return [self._own("release", command, ready=always, needs=("migrate",), uses=self._used(), once=True)]

    def _trips(self) -> Part:
        return self._own(
            "trips",
            ["-m", "choreography", "trips"],
            env=self.environment() | {"TRIPS_TRIPS_PORT": str(self.ports.trips_port)},
            ready=always,
            needs=("migrate",),
            uses=("nats",),
            port=self.ports.trips_port,
            host=self.host,
            port_variable="TRIPS_TRIPS_PORT",
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


def _is_elsewhere(partner: Partner) -> bool:
    """Whether trips are booked at a partner of the caller's own, and not at the bundled one."""
    return bool(os.environ.get(f"TRIPS_{partner.value.upper()}_URL"))


def _kept(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def _make_secret(path: Path, content: str) -> None:
    if not path.exists():
        place.write(path, content)
