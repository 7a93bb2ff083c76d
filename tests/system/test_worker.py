"""The worker's end: what is in flight is finished or given back."""

import asyncio
import os
import signal

from tests.conftest import RunningSystem
from tests.system.test_supervision import eventually
from trials.orders import order
from trials.traveller import Traveller


async def test_a_drained_worker_loses_no_call(system: RunningSystem, traveller: Traveller) -> None:
    await traveller.break_partner("hotel", latency_ms=3000, verbs=["PUT"], count=10)
    trips = [await traveller.book(order()) for _ in range(5)]

    async def sent() -> bool:
        calls = [await traveller.calls("hotel", trip["trip_id"]) for trip in trips]
        return all(len(one) == 2 for one in calls)  # a local activity's, and an ordinary one's

    await eventually(sent)
    os.kill(system.pid("worker-1"), signal.SIGTERM)
    ended = await asyncio.gather(*(traveller.until(trip["trip_id"]) for trip in trips))
    assert {trip["status"] for trip in ended} == {"confirmed"}, ended
    # The calls under way were finished, not sent again.
    assert [trip["steps"][0]["attempts"] for trip in ended] == [2] * 5
