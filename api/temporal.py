"""Temporal as the coordinator: a workflow carries each trip, and answers what is asked of the trip."""

import contextlib
from collections.abc import Awaitable, Iterator, Mapping
from datetime import timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, RPCTimeoutOrCancelledError, WorkflowUpdateFailedError
from temporalio.service import RetryConfig, RPCError, RPCStatusCode

from api.coordination import CoordinatorAway
from config.temporal import client_options
from temporal import attributes
from temporal.start import start_trip
from trip.partner import TASK_QUEUE
from trip.trip import Booking, OperatorOrder

ANSWER_TIMEOUT = timedelta(seconds=10)

_RETRIES = RetryConfig(max_retries=2)
"""A start that fails is given up soon: trips that are accepted later would overtake it."""


async def lazy_client() -> Client:
    """A client that connects at its first call, so that the front door opens without Temporal."""
    return await Client.connect(**client_options(), retry_config=_RETRIES, lazy=True)


class Temporal:
    """Starts the workflow `BookTrip`, and sends it updates."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def start(self, booking: Booking) -> None:
        with _answered():
            await start_trip(self._client, booking)

    async def cancel(self, trip_id: str) -> bool:
        return await self._update(trip_id, "cancel")

    async def operate(self, trip_id: str, order: OperatorOrder) -> bool:
        return await self._update(trip_id, "operate", order)

    def checks(self) -> Mapping[str, Awaitable[None]]:
        return {
            "temporal": self._check_server(),
            "worker": self._check_workers(),
            "search_attributes": self._check_attributes(),
        }

    async def _update(self, trip_id: str, update: str, *arguments: object) -> bool:
        handle = self._client.get_workflow_handle(trip_id)
        with _answered():
            try:
                await handle.execute_update(update, args=arguments, rpc_timeout=ANSWER_TIMEOUT)
            except WorkflowUpdateFailedError:
                return False
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:  # the workflow has ended
                    return False
                raise
        return True

    async def _check_server(self) -> None:
        await self._client.service_client.check_health()

    async def _check_workers(self) -> None:
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=TASK_QUEUE),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        answer = await self._client.workflow_service.describe_task_queue(request)
        if not answer.pollers:
            raise RuntimeError("no worker polls the task queue")

    async def _check_attributes(self) -> None:
        if missing := await attributes.missing(self._client):
            raise RuntimeError(f"the namespace lacks {', '.join(missing)}")


@contextlib.contextmanager
def _answered() -> Iterator[None]:
    try:
        yield
    except (RPCError, RPCTimeoutOrCancelledError, RuntimeError) as error:  # the last: it never connected
        detail = "no answer from Temporal or a worker; try again"
        raise CoordinatorAway("temporal_unavailable", detail) from error
