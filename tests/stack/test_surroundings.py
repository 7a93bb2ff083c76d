"""Embedded commands run in an environment that names a system in production, and touch none of it."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stack.chosen import free_ports
from stack.system import System
from tests.conftest import ROOT

DEMO_LIMIT_S = 120

CLOUD = """
[profile.default]
address = "{address}"
namespace = "production.a2dd6"
api_key = "for-tests"
[profile.default.tls]
disabled = false
"""

READS = """
import tests.conftest
from config.settings import settings
from config.temporal import client_options
print(settings().model_fields_set, client_options(None)["target_host"])
"""


@contextmanager
def production() -> Iterator[socket.socket]:
    """A port on which every system in production is said to be. Nobody may connect to it."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        listener.setblocking(False)
        yield listener


def hostile(home: Path, address: str) -> dict[str, str]:
    """An environment in which every variable and the home directory name production."""
    configuration = home / ".config" / "temporalio" / "temporal.toml"
    configuration.parent.mkdir(parents=True)
    configuration.write_text(CLOUD.format(address=address))
    url = f"http://{address}"
    partners = {f"TRIPS_{name}_URL": url for name in ("HOTEL", "TOUR", "FLIGHT", "POINTS", "PAYMENT")}
    engines = {f"TRIPS_{name}_ENGINE_URL": url for name in ("HOTEL", "FLIGHT", "POINTS")}
    return {
        **os.environ,
        **partners,
        **engines,
        "HOME": str(home),
        "TEMPORAL_ADDRESS": address,
        "TEMPORAL_API_KEY": "for-tests",
        "TEMPORAL_NAMESPACE": "production.a2dd6",
        "TEMPORAL_PROFILE": "production",
        "TEMPORAL_TLS": "true",
        "DATABASE_URL": f"postgresql://trips@{address}/trips",
        "NATS_URL": f"nats://{address}",
        "TRIPS_NATS_PORT": "1",
        "TRIPS_DATABASE_DIRECT_URL": f"postgresql://trips@{address}/trips",
        "TRIPS_HOTEL_TOKEN": "for-tests",
        "TRIPS_HOST": "192.0.2.1",
        "TRIPS_DATA_DIR": "/nowhere",
        "TRIPS_LAB": "0",
        "TRIPS_OIDC_ISSUER": url,
        "TRIPS_RETRY_ATTEMPTS": "0",
        "PGHOST": "127.0.0.1",
        "PGOPTIONS": "-c default_transaction_read_only=on",
        "PGSSLMODE": "verify-full",
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
    }


def ended(home: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """A command that was run in a hostile environment. It must not have gone to production."""
    with production() as listener:
        told = hostile(home, f"127.0.0.1:{listener.getsockname()[1]}")
        told.pop("TEMPORAL_CONFIG_FILE", None)
        found = subprocess.run(
            [sys.executable, *command],
            check=False,
            cwd=ROOT,
            env=told,
            capture_output=True,
            text=True,
            timeout=DEMO_LIMIT_S,
        )
        with pytest.raises(BlockingIOError):
            listener.accept()
    return found


@pytest.mark.server
def test_the_demo_is_green_and_goes_to_nobody(tmp_path: Path) -> None:
    demo = ended(tmp_path, "-m", "stack.demo")
    assert demo.returncode == 0, demo.stderr[-4000:]
    assert "history: http://127.0.0.1:" in demo.stdout


def test_the_tests_take_no_settings_from_around(tmp_path: Path) -> None:
    found = ended(tmp_path, "-c", READS)
    assert found.stdout == "set() 127.0.0.1:7233\n", found.stderr


def test_a_broker_that_is_named_is_used_and_none_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = System(tmp_path, free_ports())
    assert "nats" in {part.name for part in system.parts()}
    monkeypatch.setenv("NATS_URL", "nats://trips:secret@broker.example:4222")
    assert "nats" not in {part.name for part in system.parts()}
    assert system.describe()["nats"] == "nats://trips:secret@broker.example:4222"
    assert system.environment()["NATS_URL"] == system.describe()["nats"]


def test_an_adapter_takes_part_for_a_partner_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = System(tmp_path, free_ports())
    assert not [part.name for part in system.parts() if part.name.endswith("-adapter")]
    monkeypatch.setenv("TRIPS_HOTEL_URL", "https://hotel.example")
    system = System(tmp_path, free_ports())
    parts = {part.name: part for part in system.parts()}
    assert [name for name in parts if name.endswith("-adapter")] == ["hotel-adapter"]
    port = parts["hotel-adapter"].env["TRIPS_ADAPTER_PORT"]
    assert system.metrics()["hotel-adapter"] == f"http://127.0.0.1:{port}/metrics"
    assert parts["hotel-adapter"].env["TRIPS_HOTEL_URL"] == "https://hotel.example"
    # Both would listen under one name, and share the messages.
    assert "partners" in parts["hotel"].command
    assert "choreography" in parts["tour"].command
