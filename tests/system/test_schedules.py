"""What Temporal runs by itself: the health check and the audit."""

import asyncio

from temporalio.client import Client, ScheduleActionExecutionStartWorkflow
from temporalio.contrib.pydantic import pydantic_data_converter

from tests.conftest import RunningSystem
from trials.traveller import LOOK_EVERY_S

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
