"""Temporal's development server, from the command line in its wheel."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from stack.parts import Part, listening
from stack.ports import LOOPBACK
from temporal.names import NAMES

PROGRAM = Path(sys.executable).with_name("temporal")
GARBAGE_PERCENT = "400"
"""How far Temporal's heap grows between two collections, in percent of what is in use (Go's GOGC).

The heap is small. With Go's own 100, collecting took a third of the server's CPU.
"""
LISTED_S = 90
"""A worker that lives polls anew every minute. One that is gone is listed for as long as this."""

DYNAMIC = {
    # The server's timers are as coarse as this, and so is the shortest retry delay.
    "history.timerProcessorMaxTimeShift": '"10ms"',
    # Tasks that wait are shared out among the tenants.
    "matching.enableFairness": "true",
    # Each partition of a queue would be fair by itself, and hand tasks and polls on to another one.
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
    "matching.PollerHistoryTTL": f'"{LISTED_S}s"',
    # The development server would read them from its database ten times a trip.
    "system.forceSearchAttributesCacheRefreshOnRead": "false",
}
"""Settings that differ from the development server's own."""


def command(port: int, file: Path, dynamic: Mapping[str, str]) -> list[str]:
    """The server's command line, on one SQLite file, with the search attributes of trips."""
    told = [str(PROGRAM), "server", "start-dev", "--ip", LOOPBACK, "--port", str(port)]
    told += ["--db-filename", str(file), "--sqlite-pragma", "journal_mode=WAL"]
    told += ["--sqlite-pragma", "synchronous=NORMAL"]
    for name, value in dynamic.items():
        told += ["--dynamic-config-value", f"{name}={value}"]
    for name in NAMES:
        told += ["--search-attribute", f"{name}=Keyword"]
    return told


def garbage() -> dict[str, str]:
    """How the server's process is told of GARBAGE_PERCENT."""
    return {"GOGC": os.environ.get("GOGC", GARBAGE_PERCENT)}


def temporal_part(directory: Path, port: int, ui_port: int, metrics_port: int | None, codec_url: str) -> Part:
    """The server's process with its UI, which shows payloads by the codec at `codec_url`."""
    told = command(port, directory / "temporal.db", DYNAMIC)
    told += ["--log-level", "error", "--ui-port", str(ui_port), "--ui-disable-news-fetch"]
    told += ["--ui-codec-endpoint", codec_url]
    if metrics_port:
        told += ["--metrics-port", str(metrics_port)]
    return Part(
        "temporal", told, listening(port), port=port, port_variable="TRIPS_TEMPORAL_PORT", env=garbage()
    )
