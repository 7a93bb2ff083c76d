"""The trips' workflows, as Temporal has them."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError, RPCStatusCode

from audit.errors import AuditError
from audit.facts import WorkflowState

QUERY = "WorkflowType = 'BookTrip'"
PAGE = 1000
RPC_TIMEOUT = timedelta(seconds=15)
CONNECT_TIMEOUT_S = 10.0
AT_ONCE = 8

# Continued as new means that another run goes on.
_STATES = {
    WorkflowExecutionStatus.RUNNING: WorkflowState.RUNNING,
    WorkflowExecutionStatus.CONTINUED_AS_NEW: WorkflowState.RUNNING,
    WorkflowExecutionStatus.COMPLETED: WorkflowState.COMPLETED,
    WorkflowExecutionStatus.FAILED: WorkflowState.FAILED,
    WorkflowExecutionStatus.CANCELED: WorkflowState.CANCELED,
    WorkflowExecutionStatus.TERMINATED: WorkflowState.TERMINATED,
    WorkflowExecutionStatus.TIMED_OUT: WorkflowState.TIMED_OUT,
}


async def connect(address: str | None) -> Client:
    """A client by the TEMPORAL_* environment, at `address` where one is given. Raises AuditError."""
    options = ClientConfig.load_client_connect_config()
    options.setdefault("target_host", "127.0.0.1:7233")
    if address:
        options["target_host"] = address
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            return await Client.connect(**options)
    except (RuntimeError, TimeoutError) as error:
        raise AuditError(f"Temporal at {options['target_host']} does not answer: {error}") from error


async def listed(client: Client) -> dict[str, WorkflowState]:
    """The state of every trip's workflow by visibility, which lags behind. Raises AuditError.

    Of several runs of one workflow, as after a reset, a running one counts.
    """
    states: dict[str, WorkflowState] = {}
    try:
        async for found in client.list_workflows(QUERY, page_size=PAGE, rpc_timeout=RPC_TIMEOUT):
            state = _state(found.status)
            if states.get(found.id) is not WorkflowState.RUNNING:
                states[found.id] = state
    except RPCError as error:
        raise AuditError(f"Temporal cannot list the workflows: {error}") from error
    return states


async def described(client: Client, workflow_ids: Sequence[str]) -> dict[str, WorkflowState]:
    """The state of each workflow's latest run, which is exact at the time of asking. Raises AuditError."""
    states: dict[str, WorkflowState] = {}
    for start in range(0, len(workflow_ids), AT_ONCE):
        batch = workflow_ids[start : start + AT_ONCE]
        found = await asyncio.gather(*(_describe(client, workflow_id) for workflow_id in batch))
        states |= zip(batch, found, strict=True)
    return states


async def _describe(client: Client, workflow_id: str) -> WorkflowState:
    try:
        found = await client.get_workflow_handle(workflow_id).describe(rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return WorkflowState.MISSING
        raise AuditError(f"Temporal cannot describe {workflow_id}: {error}") from error
    return _state(found.status)


def _state(status: WorkflowExecutionStatus | None) -> WorkflowState:
    return _STATES[status] if status else WorkflowState.RUNNING
