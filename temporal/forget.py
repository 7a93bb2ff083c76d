"""Trips that are to be forgotten: the histories of their workflows are deleted."""

import asyncio
from collections.abc import Sequence

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from config.temporal import RPC_TIMEOUT
from temporal.workflows import AT_ONCE, executions


async def forget(client: Client, trip_ids: Sequence[str]) -> None:
    """Delete every run of these trips, which have ended. Raises RPCError.

    The list lags behind, so the latest run of each trip is deleted by the trip's id.
    """
    quoted = ", ".join(f"'{trip_id}'" for trip_id in trip_ids)
    listed = [found.execution async for found in executions(client, f"WorkflowId in ({quoted})")]
    runs = [*listed, *(WorkflowExecution(workflow_id=trip_id) for trip_id in trip_ids)]
    for start in range(0, len(runs), AT_ONCE):
        await asyncio.gather(*(_delete(client, run) for run in runs[start : start + AT_ONCE]))


async def _delete(client: Client, run: WorkflowExecution) -> None:
    request = DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=run)
    try:
        await client.workflow_service.delete_workflow_execution(request, retry=True, timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
