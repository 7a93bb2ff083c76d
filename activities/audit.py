"""The audit of all stores, run for the schedule."""

from collections.abc import Callable
from typing import Any

from temporalio import activity

from audit.endpoints import Endpoints
from audit.errors import AuditError
from audit.summary import AuditSummary
from audit.windows import audit_new
from config.settings import Settings

MOST_NAMED = 50


class Auditor:
    """The activity that audits."""

    def __init__(self, settings: Settings) -> None:
        self._endpoints = Endpoints.of_settings(settings)

    def activities(self) -> list[Callable[..., Any]]:
        """The one activity."""
        return [self.audit_stores]

    @activity.defn
    async def audit_stores(self) -> AuditSummary:
        """Compare all stores in windows. The summary names the first findings."""
        try:
            report = await audit_new(self._endpoints)
        except AuditError as error:
            raise RuntimeError(f"not audited: {error}") from error
        return AuditSummary(
            trips=report.trips,
            reservations=report.reservations,
            in_flight=len(report.in_flight),
            needs_attention=len(report.needs_attention),
            discrepancies=len(report.discrepancies),
            is_behind=report.is_behind,
            named=[f"{d.code} {d.subject}: {d.problem}" for d in report.discrepancies[:MOST_NAMED]],
        )
