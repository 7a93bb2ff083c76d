"""`python -m tests.examples.changed_trip ADDRESS`: the history of one trip by the workflow that is imported.

The trip runs on a real server, in a namespace of its own: other tests replay and audit what they find in the
common one. Its calls change the model that the search of `tests/workflows` uses.
"""

import asyncio
import contextlib
import os
import sys
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client, WorkflowHistory
from temporalio.common import RawValue
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from config.temporal import data_converter
from tests.patience import PATIENCE_S
from tests.workflows.search import BOOKING
from tests.workflows.world import World
from trials.polling import until
from trip.calls import BreakerCheck, PartnerCall
from trip.fence import Barring
from trip.trip import Trip
from workflows.book_trip import BookTrip

_ARGUMENTS: dict[str, tuple[type, ...]] = {
    "check_breaker": (BreakerCheck,),
    "bar_sending": (Barring,),
    "save_trip": (Trip, int),
}

_world = World(lambda _world, _verb, _partner: None)


@activity.defn(dynamic=True)
async def any_call(arguments: Sequence[RawValue]) -> Any:
    """What every activity of the trip does."""
    info, converter = activity.info(), activity.payload_converter()
    types = _ARGUMENTS.get(info.activity_type, (PartnerCall,))
    given: list[Any] = [
        converter.from_payload(argument.payload, kind)
        for argument, kind in zip(arguments, types, strict=True)
    ]
    return _world.run(info.activity_type, given, is_local=info.is_local)


async def own_namespace(address: str) -> Client:
    """A client of a new namespace, once the server lets workflows start there."""
    name = f"example-{uuid.uuid4()}"
    client = await Client.connect(address, namespace=name, data_converter=data_converter(None))
    request = RegisterNamespaceRequest(namespace=name)
    request.workflow_execution_retention_period.FromTimedelta(timedelta(days=1))
    await client.workflow_service.register_namespace(request)

    async def is_known() -> bool:
        with contextlib.suppress(RPCError):
            await client.count_workflows()
            return True
        return False

    await until(is_known, PATIENCE_S)
    return client


async def history_of_a_trip(address: str) -> WorkflowHistory:
    """Book one trip, on a task queue of its own."""
    client = await own_namespace(address)
    trip_id = str(uuid.uuid4())
    booking = BOOKING.model_copy(update={"trip_id": trip_id, "is_searchable": False})
    runner = UnsandboxedWorkflowRunner()
    async with (
        asyncio.timeout(PATIENCE_S),
        Worker(
            client, task_queue=trip_id, workflows=[BookTrip], activities=[any_call], workflow_runner=runner
        ),
    ):
        handle = await client.start_workflow("BookTrip", booking, id=trip_id, task_queue=trip_id)
        await handle.result()
        return await handle.fetch_history()


if __name__ == "__main__":
    print(asyncio.run(history_of_a_trip(sys.argv[1])).to_json())
    sys.stdout.flush()
    os._exit(0)  # Temporal's client may hang or abort at the interpreter's own exit
