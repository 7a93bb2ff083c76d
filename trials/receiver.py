"""A small receiver of traces, OTLP over HTTP as any collector has it, and a trace as a tree of text."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

STATUS = "http.response.status_code"


@dataclass(frozen=True)
class Received:
    """A span that was sent. Ids are hexadecimal, the parent's empty if there is none; times are seconds."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    began: float
    ended: float
    attributes: dict[str, str]
    failed: bool


@dataclass
class Receiver:
    """What was received so far."""

    url: str = ""
    spans: list[Received] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """That of a process that sends its spans here, every half second."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "500"}

    def of(self, trip_id: str) -> list[Received]:
        """All spans of the traces that tell of the trip."""
        traces = {span.trace_id for span in self.spans if trip_id in span.attributes.values()}
        return [span for span in self.spans if span.trace_id in traces]

    def take(self, body: bytes) -> None:
        """Take one export."""
        self.bodies.append(body)
        for sender in ExportTraceServiceRequest.FromString(body).resource_spans:
            found = (span for scope in sender.scope_spans for span in scope.spans)
            self.spans += [_received(sender.resource, span) for span in found]


def _received(sender: Resource, span: Span) -> Received:
    told = {one.key: one.value.string_value for one in sender.attributes}
    return Received(
        service=told["service.name"],
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        began=span.start_time_unix_nano / 1e9,
        ended=span.end_time_unix_nano / 1e9,
        attributes={one.key: one.value.string_value or str(one.value.int_value) for one in span.attributes},
        failed=span.status.code == span.status.STATUS_CODE_ERROR,
    )


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a port of its own, in a thread: processes that end send their last spans meanwhile."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is declared
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


def tree(spans: Sequence[Received]) -> str:
    """The spans as an indented tree: when each began, how long it took (in milliseconds), and its service."""
    known = {span.span_id for span in spans}
    roots = [span for span in spans if span.parent_id not in known]
    start = min(span.began for span in spans)
    return "\n".join(line for root in sorted(roots, key=_began) for line in _lines(root, spans, start, 0))


def _began(span: Received) -> float:
    return span.began


def _lines(span: Received, spans: Sequence[Received], start: float, depth: int) -> Iterator[str]:
    status = f" → {span.attributes[STATUS]}" if STATUS in span.attributes else ""
    mark = " ✗" if span.failed else ""
    name = f"{'  ' * depth}{span.name}{status}{mark}"
    began, took = 1000 * (span.began - start), 1000 * (span.ended - span.began)
    yield f"{began:7.0f} {took:6.0f}  {name:<58} {span.service}"
    for child in sorted((one for one in spans if one.parent_id == span.span_id), key=_began):
        yield from _lines(child, spans, start, depth + 1)
