"""The trips' workflows, as Temporal has them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from enum import StrEnum

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus as Status
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from config.temporal import RPC_TIMEOUT

PAGE = 1000
AT_ONCE = 8


class WorkflowState(StrEnum):
    """A trip's workflow, as Temporal has it; `missing` was asked for by its id and is not there."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    TERMINATED = "terminated"
    TIMED_OUT = "timed_out"
    MISSING = "missing"
    UNKNOWN = "unknown"


GOES_ON = frozenset({WorkflowState.RUNNING, WorkflowState.PAUSED, WorkflowState.UNKNOWN})
"""The states of a workflow that carries its trip on, now or later. A newer server may know other states."""

# Continued as new means that another run goes on.
_STATES: dict[int, WorkflowState] = {
    Status.WORKFLOW_EXECUTION_STATUS_RUNNING: WorkflowState.RUNNING,
    Status.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW: WorkflowState.RUNNING,
    Status.WORKFLOW_EXECUTION_STATUS_PAUSED: WorkflowState.PAUSED,
    Status.WORKFLOW_EXECUTION_STATUS_COMPLETED: WorkflowState.COMPLETED,
    Status.WORKFLOW_EXECUTION_STATUS_FAILED: WorkflowState.FAILED,
    Status.WORKFLOW_EXECUTION_STATUS_CANCELED: WorkflowState.CANCELED,
    Status.WORKFLOW_EXECUTION_STATUS_TERMINATED: WorkflowState.TERMINATED,
    Status.WORKFLOW_EXECUTION_STATUS_TIMED_OUT: WorkflowState.TIMED_OUT,
}


async def listed(client: Client, query: str) -> AsyncIterator[tuple[str, WorkflowState]]:
    """The runs that the query finds, which lags behind. Raises RPCError."""
    async for found in executions(client, query):
        yield found.execution.workflow_id, _state(found.status)


async def executions(client: Client, query: str) -> AsyncIterator[WorkflowExecutionInfo]:
    """As `listed`, with all that the list tells. Raises RPCError.

    The SDK's own list raises ValueError for a status that it does not know.
    """
    request = ListWorkflowExecutionsRequest(namespace=client.namespace, query=query, page_size=PAGE)
    while True:
        page = await client.workflow_service.list_workflow_executions(
            request, retry=True, timeout=RPC_TIMEOUT
        )
        for found in page.executions:
            yield found
        if not page.next_page_token:
            return
        request.next_page_token = page.next_page_token


async def described(client: Client, workflow_ids: Sequence[str]) -> dict[str, WorkflowState]:
    """The state of each workflow's latest run, which is exact at the time of asking. Raises RPCError."""
    states: dict[str, WorkflowState] = {}
    for start in range(0, len(workflow_ids), AT_ONCE):
        batch = workflow_ids[start : start + AT_ONCE]
        found = await asyncio.gather(*(_described(client, workflow_id) for workflow_id in batch))
        states |= zip(batch, found, strict=True)
    return states


async def _described(client: Client, workflow_id: str) -> WorkflowState:
    request = DescribeWorkflowExecutionRequest(
        namespace=client.namespace, execution=WorkflowExecution(workflow_id=workflow_id)
    )
    try:
        found = await client.workflow_service.describe_workflow_execution(
            request, retry=True, timeout=RPC_TIMEOUT
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return WorkflowState.MISSING
        raise
    return _state(found.workflow_execution_info.status)


def _state(status: int) -> WorkflowState:
    return _STATES.get(status, WorkflowState.UNKNOWN)
