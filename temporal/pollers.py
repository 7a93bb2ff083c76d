"""Which builds of the worker poll the task queue, and which builds Temporal sends trips to."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from temporalio.api.deployment.v1 import WorkerDeploymentOptions, WorkerDeploymentVersion
from temporalio.api.enums.v1 import TaskQueueType, WorkerVersioningMode
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from config.temporal import RPC_TIMEOUT
from temporal.builds import DEPLOYMENT
from trip.partner import TASK_QUEUE

_VERSIONED = WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED

Build = str | None
"""A build's id. None stands for the workers that have none."""


@dataclass(frozen=True)
class Polled:
    """The task queue: how many workers of each build poll it, and which builds new trips go to.

    `ramping` gets `percent` of the trips, and `current` the others.
    """

    workers: Mapping[Build, int]
    current: Build
    ramping: Build
    percent: float

    def standing_still(self) -> str | None:
        """Why new trips would stand still, all or some. None if they do not."""
        if not self.workers:
            return "no worker polls the task queue"
        if not self.workers.get(self.current):
            missing = named(self.current)
            return f"no {missing}, which is current, polls the task queue; there are {self._others()}"
        if self.percent > 0 and not self.workers.get(self.ramping):
            share = f"{self.percent:g} % of new trips"
            return f"no {named(self.ramping)}, which has {share}, polls the task queue"
        return None

    def _others(self) -> str:
        return " and ".join(sorted(named(build, "workers") for build in self.workers))


def named(build: Build, worker: str = "worker") -> str:
    """A worker of the build, in words."""
    return f"{worker} without a build" if build is None else f"{worker} of build {build}"


def _build(told: WorkerDeploymentOptions | WorkerDeploymentVersion) -> Build:
    """A build of another deployment is named with its deployment."""
    if not told.build_id:
        return None
    is_ours = told.deployment_name == DEPLOYMENT
    return told.build_id if is_ours else f"{told.deployment_name}.{told.build_id}"


class Queue(NamedTuple):
    """A task queue of one kind."""

    name: str
    kind: "TaskQueueType.ValueType"


TRIPS = Queue(TASK_QUEUE, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW)
CALLS = Queue(TASK_QUEUE, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)


async def polled(client: Client, queue: Queue = TRIPS) -> Polled:
    """Ask Temporal, once. Raises RPCError.

    The server lists a worker for some time after its last poll, also if the worker is gone.
    """
    request = DescribeTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=queue.name), task_queue_type=queue.kind
    )
    found = await client.workflow_service.describe_task_queue(request, timeout=RPC_TIMEOUT)
    told = found.versioning_info
    workers = Counter(
        _build(poller.deployment_options)
        if poller.deployment_options.worker_versioning_mode == _VERSIONED
        else None
        for poller in found.pollers
    )
    return Polled(
        workers=workers,
        current=_build(told.current_deployment_version),
        ramping=_build(told.ramping_deployment_version),
        percent=told.ramping_version_percentage,
    )
