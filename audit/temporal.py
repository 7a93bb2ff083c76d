"""The trips' workflows, as Temporal has them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError

from audit.errors import AuditError
from temporal import workflows
from temporal.workflows import GOES_ON, WorkflowState

QUERY = "WorkflowType = 'BookTrip'"
CONNECT_TIMEOUT_S = 10.0
IN_ONE_QUERY = 200


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

    Of several runs of one workflow, as after a reset, one that goes on counts.
    """
    states: dict[str, WorkflowState] = {}
    try:
        async for workflow_id, state in workflows.listed(client, QUERY):
            if states.get(workflow_id) not in GOES_ON:
                states[workflow_id] = state
    except RPCError as error:
        raise AuditError(f"Temporal cannot list the workflows: {error}") from error
    return states


async def going_on(client: Client, workflow_ids: Sequence[str]) -> dict[str, WorkflowState]:
    """Those of these workflows that go on by visibility, which lags behind. Raises AuditError.

    An id that cannot be written into a query is left out.
    """
    states: dict[str, WorkflowState] = {}
    quoted = [f"'{one}'" for one in workflow_ids if one.isprintable() and not {"'", "\\"} & set(one)]
    try:
        for start in range(0, len(quoted), IN_ONE_QUERY):
            some = ", ".join(quoted[start : start + IN_ONE_QUERY])
            query = f"WorkflowId in ({some}) and ExecutionStatus = 'Running'"
            states |= {workflow_id: state async for workflow_id, state in workflows.listed(client, query)}
    except RPCError as error:
        raise AuditError(f"Temporal cannot list the workflows: {error}") from error
    return states


async def started_since(client: Client, since: datetime) -> AsyncIterator[list[str]]:
    """The ids of trips' workflows that have started since, some at a time. Raises AuditError."""
    found: list[str] = []
    query = f"{QUERY} and StartTime >= '{since.isoformat()}'"
    try:
        async for workflow_id, _ in workflows.listed(client, query):
            found.append(workflow_id)
            if len(found) == workflows.PAGE:
                yield found
                found = []
    except RPCError as error:
        raise AuditError(f"Temporal cannot list the workflows: {error}") from error
    yield found


async def described(client: Client, workflow_ids: Sequence[str]) -> dict[str, WorkflowState]:
    """The state of each workflow's latest run, which is exact at the time of asking. Raises AuditError."""
    try:
        return await workflows.described(client, workflow_ids)
    except RPCError as error:
        raise AuditError(f"Temporal cannot describe the workflows: {error}") from error
