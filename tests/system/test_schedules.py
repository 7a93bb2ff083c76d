"""What Temporal runs by itself: the health check and the audit."""

import asyncio
from pathlib import Path

import aiohttp
import pytest
from temporalio.client import Client, ScheduleActionExecutionStartWorkflow, WorkflowFailureError
from temporalio.contrib.pydantic import pydantic_data_converter

from tests.conftest import SHARED, RunningSystem, running_system
from trials.orders import order, some_day
from trials.traveller import LOOK_EVERY_S

pytestmark = pytest.mark.server

BOUND_S = 60.0


async def result_of_a_run(client: Client, schedule: str) -> object:
    """Have a schedule run now; what the run gives back. Raises WorkflowFailureError."""
    handle = client.get_schedule_handle(schedule)
    before = {done.scheduled_at for done in (await handle.describe()).info.recent_actions}
    await handle.trigger()
    async with asyncio.timeout(BOUND_S):
        while True:
            for done in (await handle.describe()).info.recent_actions:
                started = done.action
                assert isinstance(started, ScheduleActionExecutionStartWorkflow)
                if done.scheduled_at not in before:
                    return await client.get_workflow_handle(started.workflow_id).result()
            await asyncio.sleep(LOOK_EVERY_S)


async def test_the_health_check_runs_on_a_schedule(system: RunningSystem) -> None:
    client = await Client.connect(system.temporal, data_converter=pydantic_data_converter)
    found = await result_of_a_run(client, "probe-partners")
    assert found == dict.fromkeys(("hotel", "tour", "flight", "points", "payment"), "ok")


async def test_the_audit_runs_on_a_schedule_and_fails_where_stores_disagree(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    with running_system(tmp_path / "data", SHARED) as own:
        traveller = own.traveller(http)
        assert (await traveller.book(order(), wait=10))["status"] == "confirmed"
        client = await Client.connect(own.temporal, data_converter=pydantic_data_converter)
        found = await result_of_a_run(client, "audit-stores")
        assert isinstance(found, dict)
        assert (found["trips"], found["reservations"], found["discrepancies"]) == (1, 5, 0)

        seat = {"tour_id": "KYOTO-WALK", "date": str(some_day()), "seats": 1}
        async with http.put(f"{own.partners['tour']}/reservations/nobody", json=seat) as answer:
            assert answer.status == 201
        with pytest.raises(WorkflowFailureError) as failure:
            await result_of_a_run(client, "audit-stores")
        assert "without_trip nobody" in str(failure.value.cause)
