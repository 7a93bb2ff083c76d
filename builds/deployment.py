"""The worker's builds as Temporal knows them, and where it sends new trips."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from temporalio.api.deployment.v1 import WorkerDeploymentInfo, WorkerDeploymentVersion
from temporalio.api.enums.v1 import WorkerDeploymentVersionStatus
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    DescribeWorkerDeploymentVersionRequest,
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentRampingVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from config.temporal import RPC_TIMEOUT
from temporal.builds import DEPLOYMENT
from temporal.pollers import Build, Queue

_UNSET = ""
"""Stands for no build, and for the workers that have none."""


class NotReleasable(Exception):
    """What was asked for cannot be done, and nothing was changed; the message says why, and what to do."""


class ChangedMeanwhile(Exception):
    """Somebody else has changed where trips go."""


@dataclass(frozen=True)
class KnownBuild:
    """A build that has polled. Its `state` is Temporal's: inactive, ramping, current, draining, drained."""

    build: str
    state: str


class Shares(NamedTuple):
    """Where new trips go: `percent` of them to `ramping`, the others to `current`.

    `ramping` is None if nothing is ramping, or if workers without a build are.
    """

    current: Build
    ramping: Build = None
    percent: float = 0


@dataclass(frozen=True)
class Routing:
    """The builds, and where new trips go.

    A change that is made with the `token` fails if there was another change since.
    """

    builds: tuple[KnownBuild, ...]
    shares: Shares
    changed_at: datetime
    token: bytes

    def knows(self, build: str) -> bool:
        """Whether a worker of the build has polled, ever."""
        return any(known.build == build for known in self.builds)


async def routing(client: Client) -> Routing | None:
    """Ask Temporal. None if no worker with a build has ever polled. Raises RPCError."""
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=DEPLOYMENT)
    try:
        found = await client.workflow_service.describe_worker_deployment(
            request, retry=True, timeout=RPC_TIMEOUT
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise
    return _routing(found.worker_deployment_info, found.conflict_token)


async def queues(client: Client, build: str) -> set[Queue]:
    """The task queues that workers of the build have polled. Raises RPCError."""
    version = WorkerDeploymentVersion(deployment_name=DEPLOYMENT, build_id=build)
    request = DescribeWorkerDeploymentVersionRequest(namespace=client.namespace, deployment_version=version)
    try:
        found = await client.workflow_service.describe_worker_deployment_version(
            request, retry=True, timeout=RPC_TIMEOUT
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return set()  # it is on the list a moment before it is known by itself
        raise
    return {Queue(queue.name, queue.type) for queue in found.version_task_queues}


def _routing(info: WorkerDeploymentInfo, token: bytes) -> Routing:
    told = info.routing_config
    changes = (
        told.current_version_changed_time,
        told.ramping_version_changed_time,
        told.ramping_version_percentage_changed_time,
    )
    return Routing(
        builds=tuple(
            KnownBuild(one.deployment_version.build_id, _state(one.status)) for one in info.version_summaries
        ),
        shares=Shares(
            told.current_deployment_version.build_id or None,
            told.ramping_deployment_version.build_id or None,
            round(told.ramping_version_percentage, 3),  # Temporal keeps it with little precision
        ),
        changed_at=max(change.ToDatetime(UTC) for change in changes),
        token=token,
    )


def _state(status: "WorkerDeploymentVersionStatus.ValueType") -> str:
    name = WorkerDeploymentVersionStatus.Name(status)
    return name.removeprefix("WORKER_DEPLOYMENT_VERSION_STATUS_").lower()


async def make_current(client: Client, build: Build, token: bytes) -> None:
    """Send every new trip to the build. Raises ChangedMeanwhile, NotReleasable and RPCError."""
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace,
        deployment_name=DEPLOYMENT,
        build_id=build or _UNSET,
        conflict_token=token,
        identity=client.identity,
    )
    try:
        await client.workflow_service.set_worker_deployment_current_version(
            request, retry=True, timeout=RPC_TIMEOUT
        )
    except RPCError as error:
        raise _refused(error) from error


async def ramp(client: Client, build: Build, percent: float, token: bytes) -> None:
    """Send a share of new trips to the build; None and 0 for none. Raises as `make_current`."""
    request = SetWorkerDeploymentRampingVersionRequest(
        namespace=client.namespace,
        deployment_name=DEPLOYMENT,
        build_id=build or _UNSET,
        percentage=percent,
        conflict_token=token,
        identity=client.identity,
    )
    try:
        await client.workflow_service.set_worker_deployment_ramping_version(
            request, retry=True, timeout=RPC_TIMEOUT
        )
    except RPCError as error:
        raise _refused(error) from error


def _refused(error: RPCError) -> Exception:
    if error.status is not RPCStatusCode.FAILED_PRECONDITION:
        return error
    if "conflict token" in error.message:
        return ChangedMeanwhile("somebody else has changed where trips go; see `status`")
    return NotReleasable(error.message)
