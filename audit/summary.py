"""What an audit of all stores found, in short."""

from pydantic import BaseModel


class AuditSummary(BaseModel):
    """Counts, and the first discrepancies by name; the audit's own report has them all, with remedies."""

    trips: int
    reservations: int
    in_flight: int
    needs_attention: int
    discrepancies: int
    is_behind: bool = False
    named: list[str]
