"""The system under attack: where its parts answer, and its processes."""

import contextlib
import json
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from audit.run import Endpoints
from trip.partner import Partner

TEMPORAL = "temporal"


@dataclass(frozen=True)
class Target:
    """A running embedded system, as its `stack.json` describes it; `token` is its operator's."""

    data_dir: Path
    token: str
    api: str
    temporal: str
    temporal_ui: str
    database_url: str
    partners: dict[str, str]
    engines: dict[str, str]

    @classmethod
    def of(cls, data_dir: Path) -> "Target":
        """The system that runs in the data directory. Raises OSError and ValueError where there is none."""
        described: dict[str, Any] = json.loads((data_dir / "run" / "stack.json").read_text())
        tokens: dict[str, str] = json.loads((data_dir / "tokens.json").read_text())
        return cls(data_dir=data_dir, token=tokens["operator"], **described)

    def endpoints(self) -> Endpoints:
        """What the audit reads."""
        return Endpoints(
            database_url=self.database_url,
            partners={partner: self.partners[partner.value] for partner in Partner},
            temporal=self.temporal,
        )

    def pid(self, name: str) -> int | None:
        """The process id of a part, or None while it is between two lives."""
        try:
            return int((self.data_dir / "run" / f"{name}.pid").read_text())
        except (OSError, ValueError):
            return None

    def signal(self, name: str, number: signal.Signals) -> bool:
        """Send a signal to a part; whether there was a process to send it to.

        Stopping and continuing reach its children too: a stopped postmaster alone would go on serving.
        """
        pid = self.pid(name)
        if pid is None:
            return False
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            reached = [process]
            if number is not signal.SIGKILL:
                reached += process.children(recursive=True)
            for one in reached:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.send_signal(number)
            return True
        return False

    def kill(self, name: str) -> bool:
        """`kill -9` of a part, which its supervisor starts again; whether it ran."""
        return self.signal(name, signal.SIGKILL)
