"""The trips' workflows, as Temporal has them."""

import asyncio
from collections.abc import Sequence

from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError

from audit.errors import AuditError
from temporal import workflows
from temporal.workflows import GOES_ON, WorkflowState

QUERY = "WorkflowType = 'BookTrip'"
CONNECT_TIMEOUT_S = 10.0


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


async def described(client: Client, workflow_ids: Sequence[str]) -> dict[str, WorkflowState]:
    """The state of each workflow's latest run, which is exact at the time of asking. Raises AuditError."""
    try:
        return await workflows.described(client, workflow_ids)
    except RPCError as error:
        raise AuditError(f"Temporal cannot describe the workflows: {error}") from error
