"""The kinds of work that a sample may have been taken in."""

from collections import Counter
from collections.abc import Iterable, Mapping

from stack.system import ROOT
from trials.bench.profile.sampled import Stack

REST = "event loop, kernel, the SDK's core"

_PAYLOADS = "payloads: JSON, checks, encryption"
_RECORD = "the record"
_GUARD = "the breakers' view"

WORKER: Mapping[str, str] = {
    "temporalio/converter/": _PAYLOADS,
    "temporalio/contrib/": _PAYLOADS,
    "temporalio/bridge/_visitor": _PAYLOADS,
    "temporalio/worker/_command_aware": _PAYLOADS,
    "config/": _PAYLOADS,
    "temporal/payloads.py": _PAYLOADS,
    "aiohttp/": "calls to partners",
    "calling/": "calls to partners",
    "serving/": "calls to partners",
    "asyncpg/": _RECORD,
    "record/": _RECORD,
    "guard/": _GUARD,
    "workflows/": "the workflow's own code",
    "trip/": "the workflow's own code",
    "activities/": "the activities' own code",
    "temporalio/worker/_activity.py": "SDK: running an activity",
    "temporalio/activity.py": "SDK: running an activity",
    "temporalio/": "SDK: a step of a workflow",
}
API: Mapping[str, str] = {
    "uvicorn/": "HTTP server, its limits, event loop",
    "serving/": "HTTP server, its limits, event loop",
    "fastapi/": "FastAPI and Starlette",
    "starlette/": "FastAPI and Starlette",
    "asyncpg/": _RECORD,
    "record/": _RECORD,
    "temporalio/": "the start at Temporal",
    "temporal/": "the start at Temporal",
    "config/": "the start at Temporal",
    "guard/": _GUARD,
    "nats/": "the broker",
    "choreography/": "the broker",
    "api/": "the routes' own code",
    "trip/": "the routes' own code",
}


def shares(stacks: Iterable[tuple[Stack, int]], kinds: Mapping[str, str]) -> dict[str, float]:
    """The share of each kind of work: a sample counts for its innermost function that has a kind."""
    found: Counter[str] = Counter()
    for stack, times in stacks:
        found[_kind(stack, kinds)] += times
    whole = max(1, found.total())
    return {kind: times / whole for kind, times in found.most_common()}


def _kind(stack: Stack, kinds: Mapping[str, str]) -> str:
    for file in stack:
        name = _name(file)
        for beginning, kind in kinds.items():
            if name.startswith(beginning):
                return kind
    return REST


def _name(file: str) -> str:
    """A file's path below the project or below the installed libraries."""
    below = file.rpartition("/site-packages/")
    return below[2] if below[1] else file.removeprefix(f"{ROOT}/")
