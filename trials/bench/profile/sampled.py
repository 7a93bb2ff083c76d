"""`python -m trials.bench.profile.sampled FILE TARGET…`: run the target, and sample where its CPU time goes.

The target is a script, or `-m` and a module. The kernel sends a signal for each few milliseconds of CPU that
the process uses, those of all its threads together. So neither waiting counts, nor what other processes do.
SIGUSR1 begins the count, and the next one writes the stacks to the file.
"""

import json
import runpy
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

EVERY_S = 0.002

Stack = tuple[str, ...]
"""The files of the functions that run, the innermost first."""


class Sampler:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._stacks: Counter[Stack] = Counter()
        self._counts = False

    def tick(self, _signal: int, frame: FrameType | None) -> None:
        if not self._counts:
            return
        files = []
        while frame is not None:
            files.append(frame.f_code.co_filename)
            frame = frame.f_back
        self._stacks[tuple(files)] += 1

    def toggle(self, _signal: int, _frame: FrameType | None) -> None:
        if self._counts:
            written = self._file.with_suffix(".part")
            written.write_text(json.dumps([[stack, times] for stack, times in self._stacks.items()]))
            written.rename(self._file)
        self._stacks.clear()
        self._counts = not self._counts


def read(file: Path) -> list[tuple[Stack, int]]:
    """The stacks of a file, and how often each was seen."""
    found: Any = json.loads(file.read_text())
    return [(tuple(stack), times) for stack, times in found]


def main() -> None:
    sampler = Sampler(Path(sys.argv[1]))
    signal.signal(signal.SIGPROF, sampler.tick)
    signal.signal(signal.SIGUSR1, sampler.toggle)
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    try:
        _run(sys.argv[2:])
    finally:
        # When the interpreter ends, so does its handler, and the signal would end the process.
        signal.setitimer(signal.ITIMER_PROF, 0)


def _run(target: list[str]) -> None:
    match target:
        case ["-m", module, *arguments]:
            sys.argv = [module, *arguments]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case [script, *_]:
            sys.argv = target
            sys.path.insert(0, str(Path(script).parent))
            runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
