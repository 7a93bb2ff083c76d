"""The trips of a build, as Temporal lists them."""

import json
from typing import NamedTuple

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflow.v1 import WorkflowExecutionInfo, WorkflowExecutionVersioningInfo
from temporalio.api.workflowservice.v1 import CountWorkflowExecutionsRequest, DescribeWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from config.temporal import RPC_TIMEOUT
from temporal.builds import DEPLOYMENT
from temporal.names import STATUS
from temporal.pollers import Build
from temporal.start import BOOK_TRIP

_VERSION = "TemporalWorkerDeploymentVersion"
_OURS = f"{DEPLOYMENT}:"

OF_TRIPS = f"WorkflowType = '{BOOK_TRIP}'"
RUNNING = "ExecutionStatus = 'Running'"
STUCK = f"{STATUS} = 'needs_attention'"
TROUBLED = f"{STATUS} in ('failed', 'needs_attention')"
ENDED = f"(ExecutionStatus != 'Running' or {STUCK})"
"""Or stuck, which may last."""
NEWLY = "StartTime >= '{}'"


def of_build(build: str) -> str:
    """The list filter that finds what the build has carried on last, or is to carry on next."""
    return f"{_VERSION} = '{_OURS}{build}'"


def build_of(listed: WorkflowExecutionInfo) -> Build:
    """The build of a workflow that a list has found. None if there is none, or none known yet."""
    payload = listed.search_attributes.indexed_fields.get(_VERSION)
    if payload is None:
        return None
    name: str = json.loads(payload.data)
    return name.removeprefix(_OURS)


class Described(NamedTuple):
    """A workflow: whose it is now, whether it goes on, and the attempt at its present task, or 0."""

    build: Build
    is_running: bool
    task_attempt: int


async def described(client: Client, run: WorkflowExecution) -> Described | None:
    """Ask Temporal. None if there is no such workflow. Raises RPCError."""
    request = DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=run)
    try:
        found = await client.workflow_service.describe_workflow_execution(
            request, retry=True, timeout=RPC_TIMEOUT
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    info = found.workflow_execution_info
    return Described(
        build=_now_of(info.versioning_info),
        is_running=info.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING,
        task_attempt=found.pending_workflow_task.attempt,
    )


def _now_of(info: WorkflowExecutionVersioningInfo) -> Build:
    """A workflow may be on its way to a build, or be moved to one."""
    told = (
        info.version_transition.deployment_version,
        info.versioning_override.pinned.version,
        info.deployment_version,
    )
    return next((version.build_id for version in told if version.build_id), None)


async def count(client: Client, query: str) -> int:
    """How many runs the query finds, which lags behind. Raises RPCError."""
    request = CountWorkflowExecutionsRequest(namespace=client.namespace, query=query)
    found = await client.workflow_service.count_workflow_executions(request, retry=True, timeout=RPC_TIMEOUT)
    return found.count
