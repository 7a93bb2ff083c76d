"""What is in a line of the log."""

import json
import logging
import os
import subprocess
import sys

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from serving.logs import JsonLines, about


def line(message: str, *given: object, extra: dict[str, object] | None = None) -> dict[str, object]:
    record = logging.getLogger("some.place").makeRecord(
        "some.place", logging.WARNING, "place.py", 1, message, given, None, extra=extra
    )
    text = JsonLines("worker").format(record)
    assert "\n" not in text
    found: dict[str, object] = json.loads(text)
    return found


def test_a_line_says_when_where_and_how_grave() -> None:
    said = line("two\nlines, %s", "é")
    assert said.pop("time", "").endswith("+00:00")  # type: ignore[attr-defined]
    assert said == {
        "level": "WARNING", "logger": "some.place", "process": "worker", "message": "two\nlines, é",
    }  # fmt: skip


@pytest.mark.parametrize(
    "extra",
    [
        about("T-1"),
        {"temporal_activity": {"workflow_id": "T-1"}},
        {"temporal_workflow": {"workflow_id": "T-1"}},
    ],
)
def test_a_line_about_a_trip_has_its_id(extra: dict[str, object]) -> None:
    assert line("x", extra=extra)["trip_id"] == "T-1"


def test_a_line_within_a_span_has_its_trace() -> None:
    span = NonRecordingSpan(SpanContext(0xA1, 0xB2, is_remote=False, trace_flags=TraceFlags(1)))
    with trace.use_span(span):
        said = line("x")
    assert (said["trace_id"], said["span_id"]) == (f"{0xA1:032x}", f"{0xB2:016x}")


def ran(level: str) -> "subprocess.CompletedProcess[str]":
    code = "import logging; from serving.logs import log_as_json; log_as_json('x'); logging.info('it')"
    env = os.environ | {"TRIPS_LOG_LEVEL": level}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)


def test_the_level_is_set_by_the_environment() -> None:
    assert json.loads(ran("info").stderr)["message"] == "it"
    assert ran("WARNING").stderr == ""


def test_an_unknown_level_is_refused_with_its_name() -> None:
    refused = ran("loud")
    assert refused.returncode == 1
    assert "TRIPS_LOG_LEVEL" in refused.stderr and "WARNING" in refused.stderr
