"""`python -m trials.bench.telemetry.without`: the system's worker, which counts nothing of its own trips."""

from contextlib import ExitStack
from unittest.mock import patch

from temporalio.runtime import Runtime, TelemetryConfig

import worker

NOWHERE = "http://127.0.0.1:1"


def _uncounted() -> tuple[Runtime, str]:
    return Runtime(telemetry=TelemetryConfig()), NOWHERE


def _nothing(*_given: object) -> None:
    return None


if __name__ == "__main__":
    with ExitStack() as patches:
        patches.enter_context(patch.object(worker, "runtime_with_figures", _uncounted))
        patches.enter_context(patch("guard.figures.sent", _nothing))
        patches.enter_context(patch("workflows.book_trip.count_end", _nothing))
        worker.main()
