"""What Temporal says of the whole system: who polls, which schedules run, and how the last audit ended."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from temporalio.api.enums.v1 import TaskQueueType, WorkflowExecutionStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, ListWorkflowExecutionsRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from config.temporal import RPC_TIMEOUT
from serving.beside import beside
from temporal.schedules import AUDIT_STORES, SCHEDULES
from trip.partner import TASK_QUEUE

log = logging.getLogger(__name__)

LOOK_EVERY_S = 15.0
LOOK_LIMIT_S = 10.0

_QUEUES = {
    "workflow": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    "activity": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}
_ENDED_AUDITS = f"TemporalScheduledById = '{AUDIT_STORES}' and ExecutionStatus != 'Running'"


@dataclass(frozen=True)
class Seen:
    """What one look found. `runs`: whether a schedule is there and not paused.

    `audited_at`: when the last audit ended, or when its schedule was made if none has. `audit_is_clean`: None
    if none has ended. A look that failed has `answers` False and nothing else.
    """

    answers: bool = False
    pollers: dict[str, int] = field(default_factory=dict)
    runs: dict[str, bool] = field(default_factory=dict)
    audited_at: datetime | None = None
    audit_is_clean: bool | None = None


async def look(client: Client) -> Seen:
    """Ask Temporal. Raises RPCError, and RuntimeError if the client never connected."""
    pollers = {kind: await _pollers(client, queue) for kind, queue in _QUEUES.items()}
    runs, audited_at = {}, None
    for schedule_id in SCHEDULES:
        made_at, runs[schedule_id] = await _schedule(client, schedule_id)
        if schedule_id == AUDIT_STORES:
            audited_at = made_at
    ended_at, is_clean = await _last_audit(client)
    return Seen(True, pollers, runs, ended_at or audited_at, is_clean)


class Watch:
    """Looks every LOOK_EVERY_S seconds, and keeps what the last look found."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.seen = Seen()

    @contextlib.asynccontextmanager
    async def looking(self) -> AsyncIterator[None]:
        """Look while the context is open."""
        async with beside(self._keep_looking()):
            yield

    async def _keep_looking(self) -> None:
        while True:
            try:
                async with asyncio.timeout(LOOK_LIMIT_S):
                    self.seen = await look(self._client)
            except Exception as error:
                unexpected = not isinstance(error, RPCError | RuntimeError | TimeoutError)
                log.warning("Temporal is not looked at: %s", error or "no answer", exc_info=unexpected)
                self.seen = Seen()
            await asyncio.sleep(LOOK_EVERY_S)


async def _pollers(client: Client, queue: TaskQueueType.ValueType) -> int:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=TASK_QUEUE), task_queue_type=queue
    )
    answer = await client.workflow_service.describe_task_queue(request, timeout=RPC_TIMEOUT)
    return len(answer.pollers)


async def _schedule(client: Client, schedule_id: str) -> tuple[datetime | None, bool]:
    """When it was made, and whether it runs."""
    try:
        found = await client.get_schedule_handle(schedule_id).describe(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None, False
        raise
    return found.info.created_at, not found.schedule.state.paused


async def _last_audit(client: Client) -> tuple[datetime | None, bool | None]:
    """When it ended, and whether all stores agreed."""
    request = ListWorkflowExecutionsRequest(namespace=client.namespace, query=_ENDED_AUDITS, page_size=1)
    page = await client.workflow_service.list_workflow_executions(request, timeout=RPC_TIMEOUT)
    for found in page.executions:
        ended_at = found.close_time.ToDatetime(UTC)
        return ended_at, found.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED
    return None, None
