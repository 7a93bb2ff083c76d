"""docker-compose.yml as compose would read it, and the image's files as the Dockerfile would copy them."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from partners.catalogue import PARTNERS

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE = ROOT / "docker-compose.yml"
OWN = ("migrate", *(partner.name for partner in PARTNERS), "worker", "api")
"""The services that run in the project's own image."""

_VARIABLE = re.compile(r"\$\{(?P<name>\w+):-(?P<default>[^}]*)\}")


def variables() -> dict[str, str]:
    """Every variable that the file leaves to `.env`, with its default; none where it has no default."""
    text = COMPOSE.read_text()
    found = {match["name"]: match["default"] for match in _VARIABLE.finditer(text)}
    for service in services().values():
        for name, value in service.get("environment", {}).items():
            if value is None:
                found.setdefault(name, "")
    return found


def services(env: Mapping[str, str] | None = None) -> dict[str, dict[str, Any]]:
    """The services with their variables filled in from `env`."""
    given = env or {}

    def value(match: re.Match[str]) -> str:
        return given.get(match["name"]) or match["default"]

    parsed = yaml.safe_load(_VARIABLE.sub(value, COMPOSE.read_text()).replace("$$", "$"))
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
    """Put into `place` what the image has in its working directory, and nothing else."""
    for source, to in copied():
        target = place / to
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, target / source if to.endswith("/") else target)
