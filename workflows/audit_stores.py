"""AuditStores: the scheduled audit; a run that finds a discrepancy fails, and so stands out in the UI."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from audit.summary import AuditSummary

AUDIT_STORES = "audit_stores"
DISCREPANCIES = "discrepancies"

_AUDIT_S = 660.0


@workflow.defn
class AuditStores:
    """Holds Temporal's view, the trips' record and all five stores against each other."""

    @workflow.run
    async def run(self) -> AuditSummary:
        """The summary of a clean audit. Fails if there are discrepancies, and names them."""
        summary: AuditSummary = await workflow.execute_activity(
            AUDIT_STORES,
            result_type=AuditSummary,
            start_to_close_timeout=timedelta(seconds=_AUDIT_S),
            retry_policy=RetryPolicy(maximum_attempts=3, maximum_interval=timedelta(seconds=30)),
        )
        if summary.discrepancies:
            named = "; ".join(summary.named)
            raise ApplicationError(
                f"{summary.discrepancies} discrepancies: {named}", summary, type=DISCREPANCIES
            )
        return summary
