"""Five activities that do nothing, one after another: what the engine itself costs in that shape."""

import os
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from stack.runner import stop_event

ACTIVITIES = 5
LIMIT = timedelta(seconds=10)


@activity.defn
async def nothing() -> None:
    """Does nothing."""


@workflow.defn(name="Bare")
class Bare:
    @workflow.run
    async def run(self) -> str:
        for _ in range(ACTIVITIES):
            await workflow.execute_activity(nothing, start_to_close_timeout=LIMIT)
        return "confirmed"


async def serve() -> None:
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"])
    async with Worker(client, task_queue="bare", workflows=[Bare], activities=[nothing]):
        await stop_event().wait()
