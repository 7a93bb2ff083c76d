"""Moves trips to another build, once their histories were replayed with that build's code."""

from collections.abc import AsyncIterator, Iterable
from typing import NamedTuple

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.workflow.v1 import VersioningOverride, WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionOptionsRequest
from temporalio.client import Client
from temporalio.worker import Replayer

from builds.trips import OF_TRIPS, RUNNING, described, of_build
from config.temporal import RPC_TIMEOUT
from replay.replaying import failure_of
from temporal.builds import DEPLOYMENT
from temporal.pollers import Build
from temporal.workflows import executions

_PINNED = VersioningOverride.PinnedOverrideBehavior.PINNED_OVERRIDE_BEHAVIOR_PINNED


class Moved(NamedTuple):
    """A trip that was to be moved. `left_as` says why it was not."""

    trip_id: str
    left_as: str | None = None


async def trips_of(client: Client, build: str) -> list[str]:
    """The ids of the trips under way that stay with the build. The list lags behind. Raises RPCError."""
    query = f"{OF_TRIPS} and {RUNNING} and {of_build(build)}"
    return [found.execution.workflow_id async for found in executions(client, query)]


async def move(client: Client, replays: Replayer, trip_ids: Iterable[str], to: str) -> AsyncIterator[Moved]:
    """Move each trip that the code at hand can go on with, which has to be the code of build `to`.

    Raises RPCError.
    """
    for trip_id in trip_ids:
        yield Moved(trip_id, await _left_as(client, replays, trip_id, to))


async def _left_as(client: Client, replays: Replayer, trip_id: str, to: str) -> str | None:
    found = await described(client, WorkflowExecution(workflow_id=trip_id))
    if found is None or not found.is_running:
        return "it has no workflow that runs"
    if found.build == to:
        return f"it is with build {to} already"
    if why := await _why_not(client, replays, trip_id):
        return why
    await _pin(client, trip_id, to)
    # Its former build may have gone on with it meanwhile.
    if why := await _why_not(client, replays, trip_id):
        await _pin(client, trip_id, found.build)
        return why
    return None


async def _why_not(client: Client, replays: Replayer, trip_id: str) -> str | None:
    history = await client.get_workflow_handle(trip_id).fetch_history(rpc_timeout=RPC_TIMEOUT)
    failure = await failure_of(replays, history)
    if failure is None:
        return None
    return f"its history fails at event {failure.event_id} ({failure.event}): {failure.why}"


async def _pin(client: Client, trip_id: str, build: Build) -> None:
    """Have the build carry the trip on. None: whatever build is current."""
    override = None
    if build is not None:
        version = WorkerDeploymentVersion(deployment_name=DEPLOYMENT, build_id=build)
        override = VersioningOverride(
            pinned=VersioningOverride.PinnedOverride(behavior=_PINNED, version=version)
        )
    request = UpdateWorkflowExecutionOptionsRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=trip_id),
        workflow_execution_options=WorkflowExecutionOptions(versioning_override=override),
        update_mask=FieldMask(paths=["versioning_override"]),
        identity=client.identity,
    )
    await client.workflow_service.update_workflow_execution_options(request, timeout=RPC_TIMEOUT)
