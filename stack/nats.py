"""NATS with JetStream, the broker of choreographed trips, from its wheel."""

import sys
from pathlib import Path

from stack import place
from stack.parts import Part, listening
from stack.ports import LOOPBACK

USER = "trips"

MEMORY = "256MiB"
"""Above so much, the server's collector works harder."""

_CONFIGURATION = """\
listen: "{host}:{port}"
max_payload: 1MB
max_connections: 1000
authorization: {{ user: "{user}", password: "{password}" }}
jetstream {{
  store_dir: "{store}"
  max_memory_store: 64MB
  # Both streams twice: the server counts them so if two processes declare them at once.
  max_file_store: 3GB
  # By default the server acknowledges a message up to two minutes before it is on disk.
  sync_interval: always
}}
"""


def url(port: int, password: str) -> str:
    """The URL by which the user reaches the broker."""
    return f"nats://{USER}:{password}@{LOOPBACK}:{port}"


def nats_part(directory: Path, port: int) -> Part:
    """The broker's process. It listens when its streams are open."""
    program = str(Path(sys.executable).parent / "nats-server")
    return Part(
        "nats",
        [program, "--config", str(_configuration(directory))],
        listening(port),
        env={"GOMEMLIMIT": MEMORY},
        port=port,
        port_variable="TRIPS_NATS_PORT",
        cwd=directory,
    )


def prepare(directory: Path, port: int, password: str) -> None:
    """Write the broker's configuration, which holds the password."""
    directory.mkdir(parents=True, exist_ok=True)
    text = _CONFIGURATION.format(host=LOOPBACK, port=port, user=USER, password=password, store=directory)
    place.write(_configuration(directory), text)


def _configuration(directory: Path) -> Path:
    return directory / "nats.conf"
