"""Counts the calls of the front door, by route and never by path."""

import time

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.figures import FIGURES

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})
_OTHER = "other"

_CALLS = Counter(
    "trips_http_requests",
    "Calls that this front door answered; no route: none was found.",
    ["method", "route", "status"],
    registry=FIGURES,
)
# No status: it would multiply the buckets.
_SECONDS = Histogram(
    "trips_http_request_seconds",
    "From a call that this front door answered to the head of the answer; no route: none was found.",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
    registry=FIGURES,
)


def counted(app: ASGIApp) -> ASGIApp:
    """The application, which counts its calls."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        began = time.perf_counter()

        async def count(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "")
                method = scope["method"] if scope["method"] in _METHODS else _OTHER
                _CALLS.labels(method, route, message["status"]).inc()
                _SECONDS.labels(method, route).observe(time.perf_counter() - began)
            await send(message)

        await app(scope, receive, count)

    return call
