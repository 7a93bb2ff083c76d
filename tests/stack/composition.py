"""docker-compose.yml as compose would read it, and the image's files as the Dockerfile would copy them."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from partners.catalogue import PARTNERS
from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE = ROOT / "docker-compose.yml"
DEPLOY = ROOT / "stack" / "deploy"
ADAPTERS = tuple(f"{partner.name}-adapter" for partner in PARTNERS)
OWN = ("migrate", *(partner.name for partner in PARTNERS), "worker", "audits", "trips", "api", *ADAPTERS)
"""The services that run in the project's own image."""

_VARIABLE = re.compile(r"\$\{(?P<name>\w+):(?P<how>[-?])(?P<default>[^}]*)\}")


def new_env(place: Path) -> "subprocess.CompletedProcess[str]":
    """Run the script that makes `.env` for a project at `place`."""
    shutil.copytree(DEPLOY, place / "stack" / "deploy", dirs_exist_ok=True)
    command = [str(place / "stack" / "deploy" / "new_env.sh")]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def read_env(file: Path) -> dict[str, str]:
    """The variables that an env file sets."""
    lines = (line for line in file.read_text().splitlines() if re.match(r"[A-Z_]+=", line))
    return dict(line.split("=", 1) for line in lines)


@lru_cache(maxsize=1)
def secrets() -> dict[str, str]:
    """Values for the variables that have no default, as the script makes them."""
    with tempfile.TemporaryDirectory() as place:
        assert new_env(Path(place)).returncode == 0
        made = read_env(Path(place) / ".env")
    return {name: made[name] for name in required()}


def required() -> set[str]:
    """The variables without which compose does not start."""
    return {match["name"] for match in _VARIABLE.finditer(COMPOSE.read_text()) if match["how"] == "?"}


def variables() -> dict[str, str]:
    """Every variable that the file leaves to `.env`, with its default; none where it has no default."""
    text = COMPOSE.read_text()
    found = {
        match["name"]: match["default"] if match["how"] == "-" else "" for match in _VARIABLE.finditer(text)
    }
    for service in services().values():
        for name, value in service.get("environment", {}).items():
            if value is None:
                found.setdefault(name, "")
    return found


def services(env: Mapping[str, str] | None = None) -> dict[str, dict[str, Any]]:
    """The services with their variables filled in from `env`."""
    return _filled_in(tuple(sorted((env or {}).items())))


@lru_cache
def _filled_in(env: tuple[tuple[str, str], ...]) -> dict[str, dict[str, Any]]:
    given = dict(env)

    def value(match: re.Match[str]) -> str:
        name = match["name"]
        return given.get(name) or (secrets()[name] if match["how"] == "?" else match["default"])

    parsed = yaml.load(_VARIABLE.sub(value, COMPOSE.read_text()).replace("$$", "$"), yaml.CSafeLoader)
    found: dict[str, dict[str, Any]] = parsed["services"]
    return found


def environment(service: str, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a service's process is told; a variable without a value is handed on from `env`."""
    given = env or {}
    told: dict[str, object] = services(given)[service].get("environment", {})
    handed_on = {name: given.get(name) if value is None else str(value) for name, value in told.items()}
    return {name: value for name, value in handed_on.items() if value is not None}


def copied() -> list[tuple[str, str]]:
    """Source and destination of each COPY from the tree into the final image."""
    final = (ROOT / "Dockerfile").read_text().rsplit("\nFROM ", 1)[1]
    lines = [line.split()[1:] for line in final.splitlines() if line.startswith("COPY ")]
    return [(source, to) for source, to in (line for line in lines if not line[0].startswith("--"))]


def lay_out(place: Path) -> None:
    """Put into `place` what the image has in its working directory, compiled files included."""
    for source, to in copied():
        target = place / to
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target)
        else:
            shutil.copy(ROOT / source, target / source if to.endswith("/") else target)
