"""Traces by OpenTelemetry: off, unless the standard environment (`OTEL_…`) names where spans are sent.

Spans are sent in batches by a thread, over OTLP's HTTP. They name trips by their ids alone: what an error
says may be a traveller's, so no span keeps an error's words.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from threading import Thread

from opentelemetry import context, trace
from opentelemetry.propagate import extract, inject
from opentelemetry.trace import Span, SpanKind, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TRACEPARENT = "traceparent"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
FLUSH_S = 1.0
"""How long a process that ends waits for the receiver of its last spans."""

_UNTRACED = frozenset({"/healthz", "/readyz", "/metrics"})

_tracer = trace.get_tracer("trips")


def is_on() -> bool:
    """Whether the environment asks for traces: it names an endpoint, or the exporter `otlp`."""
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "")
    if exporter == "none" or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    return exporter == "otlp" or any(os.environ.get(name) for name in _ENDPOINTS)


@contextlib.contextmanager
def tracing_as(service: str) -> Iterator[None]:
    """While the context is open, trace in this process if the environment asks for it.

    `OTEL_SERVICE_NAME` may name the service otherwise. On leaving, the last spans are sent; what the receiver
    has not taken after FLUSH_S is lost.
    """
    if not is_on():
        yield
        return
    # Loaded here, since most systems have no traces.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import SpanLimits  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from temporalio.contrib.opentelemetry import create_tracer_provider  # noqa: PLC0415

    name = os.environ.get("OTEL_SERVICE_NAME") or service
    # An error would be an event, with its words. The SDK's own handler waits half a minute for a receiver.
    provider = create_tracer_provider(
        resource=Resource.create({"service.name": name}),
        span_limits=SpanLimits(max_events=0),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        sending = Thread(target=provider.shutdown, daemon=True)
        sending.start()
        sending.join(FLUSH_S)


def parent() -> str | None:
    """The current span, as W3C's `traceparent`. None without one."""
    carrier: dict[str, str] = {}
    inject(carrier)
    return carrier.get(TRACEPARENT)


@contextlib.contextmanager
def continued(traceparent: str | None) -> Iterator[None]:
    """Spans that begin in this context continue the trace of that parent, if there is one."""
    if traceparent is None:
        yield
        return
    token = context.attach(extract({TRACEPARENT: traceparent}))
    try:
        yield
    finally:
        context.detach(token)


@contextlib.contextmanager
def calling(name: str, told: Mapping[str, str]) -> Iterator[tuple[Span, dict[str, str]]]:
    """The span of a request to another service, and the headers that hand the trace on.

    A request that belongs to no trace begins none.
    """
    if not trace.get_current_span().get_span_context().is_valid:
        yield trace.INVALID_SPAN, {}
        return
    with _tracer.start_as_current_span(
        name, kind=SpanKind.CLIENT, attributes=told, record_exception=False
    ) as span:
        headers: dict[str, str] = {}
        inject(headers)
        yield span, headers


def answered(span: Span, status: int | None) -> None:
    """Note the status of the answer in the span; None: there was no answer."""
    if status is not None:
        span.set_attribute("http.response.status_code", status)
    if status is None or status >= 500:
        span.set_status(StatusCode.ERROR)


def traced(app: ASGIApp) -> ASGIApp:
    """The application with a span for each call, or as it is if the environment asks for no traces."""
    if not is_on():
        return app

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _UNTRACED:
            await app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        with _tracer.start_as_current_span(
            scope["method"], extract(headers), SpanKind.SERVER, record_exception=False
        ) as span:

            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    route = getattr(scope.get("route"), "path", "")
                    span.update_name(f"{scope['method']} {route}".rstrip())
                    answered(span, message["status"])
                await send(message)

            await app(scope, receive, noted)

    return call
