"""What Temporal runs by itself: the health check and the audit."""

import asyncio

from temporalio.client import Client

from tests.conftest import RunningSystem
from tests.patience import PATIENCE_S
from tests.replay.other_ways import triggered


async def result_of_a_run(client: Client, schedule: str) -> object:
    """Have a schedule run now; what the run gives back. Raises WorkflowFailureError."""
    workflow_id = await triggered(client, schedule)
    async with asyncio.timeout(PATIENCE_S):
        return await client.get_workflow_handle(workflow_id).result()


async def test_the_health_check_runs_on_a_schedule(system: RunningSystem) -> None:
    client = await Client.connect(system.temporal, data_converter=system.converter())
    found = await result_of_a_run(client, "probe-partners")
    assert found == dict.fromkeys(("hotel", "tour", "flight", "points", "payment"), "ok")
