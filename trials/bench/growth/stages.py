"""The systems that are measured: with more workers, or with a worker whose breakers can be taken out."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from stack.parts import Part
from stack.system import Ports
from trials.bench.contest.ground import Stage


def with_workers(workers: int) -> Callable[[Path, Ports], Stage]:
    """Makes a system of so many workers."""

    def staged(data_dir: Path, ports: Ports) -> Stage:
        return Stage(data_dir, ports, workers=workers)

    return staged


@dataclass(frozen=True)
class SwitchedStage(Stage):
    """The system, with `bench.growth.switched_worker` in the worker's place."""

    def parts(self) -> list[Part]:
        """Every process, each after what it needs."""
        command = [sys.executable, "-m", "trials.bench.growth.switched_worker"]
        return [
            replace(part, command=command) if part.name.startswith("worker-") else part
            for part in super().parts()
        ]
