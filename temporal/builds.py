"""Builds of the worker, if the operators deploy by them: a trip stays with the build that began it."""

from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import WorkerDeploymentConfig

DEPLOYMENT = "trips"


def deployment(build_id: str) -> WorkerDeploymentConfig | None:
    """What a worker of this build tells Temporal. Without a name any worker takes any trip."""
    if not build_id:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(DEPLOYMENT, build_id),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )
