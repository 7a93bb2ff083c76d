"""When traces are on, how a trace is handed on, and how its last spans are sent."""

import os
import socket
import subprocess
import sys

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from serving import tracing
from stack.system import ROOT
from trials.receiver import receiving

SPAN = NonRecordingSpan(SpanContext(0xA1, 0xB2, is_remote=False, trace_flags=TraceFlags(1)))
PARENT = f"00-{0xA1:032x}-{0xB2:016x}-01"


@pytest.mark.parametrize(
    ("env", "on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_the_environment_turns_traces_on(
    env: dict[str, str], on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert tracing.is_on() is on


def test_a_trace_is_continued_from_what_was_kept_of_it() -> None:
    with trace.use_span(SPAN):
        assert tracing.parent() == PARENT
    assert tracing.parent() is None
    with tracing.continued(PARENT), tracing.calling("PUT hotel", {}) as (_, headers):
        assert headers["traceparent"].split("-")[1] == f"{0xA1:032x}"


def test_a_request_without_a_trace_begins_none() -> None:
    with tracing.continued(None), tracing.calling("PUT hotel", {}) as (span, headers):
        assert (span, headers) == (trace.INVALID_SPAN, {})


LAST_SPAN = """
from serving import tracing
from opentelemetry import trace
with tracing.tracing_as("a-service"):
    with trace.get_tracer("here").start_as_current_span("the last"):
        pass
"""
PATIENT = {"OTEL_BSP_SCHEDULE_DELAY": "600000", "OTEL_EXPORTER_OTLP_TIMEOUT": "600"}
"""Nothing is sent before the process ends, and then the exporter itself would wait for long."""
END_LIMIT_S = 25
"""Shorter than the SDK's own wait at the end, which is 30 s."""


def ends(env: dict[str, str]) -> None:
    """A process with a span ends by itself."""
    subprocess.run(
        [sys.executable, "-c", LAST_SPAN], cwd=ROOT, env=os.environ | env, timeout=END_LIMIT_S, check=True
    )


def test_a_process_that_ends_sends_its_last_spans() -> None:
    with receiving() as receiver:
        ends(receiver.environment() | PATIENT)
    assert [(span.service, span.name) for span in receiver.spans] == [("a-service", "the last")]


def test_a_receiver_that_does_not_answer_holds_up_no_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        ends({"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"} | PATIENT)
