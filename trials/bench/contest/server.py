"""What the Temporal server says of itself: its own counters, and the histories it keeps."""

import asyncio
import re
from collections.abc import Sequence
from typing import NamedTuple

from trials.statistics import Figures
from trials.world import Ground

_COUNTER = re.compile(r'^(action|service_requests)\{([^}]*namespace="default"[^}]*)\} (\S+)$', re.MULTILINE)
_FRONTEND = 'service_name="frontend"'
HISTORIES = 10
PUBLISHED_EVERY_S = 1.2
"""The server publishes its counters once a second."""


class Counters(NamedTuple):
    """Since the server started: billable actions (its metric `action`), and calls of workers and clients."""

    actions: float
    calls: float


def read_counters(metrics: str) -> Counters:
    """The counters of the default namespace, from the server's metrics in Prometheus's text format."""
    totals = {"action": 0.0, "service_requests": 0.0}
    for name, labels, value in _COUNTER.findall(metrics):
        if name == "action" or _FRONTEND in labels:
            totals[name] += float(value)
    return Counters(actions=totals["action"], calls=totals["service_requests"])


async def counters(ground: Ground) -> Counters:
    """The server's counters, once it has published them."""
    await asyncio.sleep(PUBLISHED_EVERY_S)
    url = f"http://127.0.0.1:{ground.world.ports.temporal_metrics_port}/metrics"
    async with ground.http.get(url) as answer:
        answer.raise_for_status()
        return read_counters(await answer.text())


async def histories(ground: Ground, trips: Sequence[str]) -> Figures:
    """Events and bytes of a trip's history: means over some of the trips."""
    some = trips[:HISTORIES]
    events = size = 0
    for trip_id in some:
        found = await ground.temporal.get_workflow_handle(trip_id).describe()
        events += found.raw_description.workflow_execution_info.history_length
        size += found.raw_description.workflow_execution_info.history_size_bytes
    return {"events": events / len(some), "history_bytes": size / len(some)} if some else {}
