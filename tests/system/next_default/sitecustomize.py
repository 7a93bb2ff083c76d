"""Workers with the SDK's next default: Temporal's cancel is raised in every task of a workflow that waits."""

import sys

# The worker is a fork of the zygote, if there is one.
if "stack.zygote" in sys.orig_argv or sys.orig_argv[-1].endswith("worker.py"):
    from temporalio.worker import _workflow
    from temporalio.worker._workflow_instance import _WorkflowLogicFlag

    flags = frozenset({_WorkflowLogicFlag.PROCESS_WORKFLOW_ACTIVATION_JOBS_AS_SINGLE_BATCH})
    _workflow._DEFAULT_ENABLED_WORKFLOW_LOGIC_FLAGS = flags  # type: ignore[attr-defined]
