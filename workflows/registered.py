"""The workflows that a worker registers, and that a replay knows."""

from workflows.audit_stores import AuditStores
from workflows.book_trip import BookTrip
from workflows.probe_partners import ProbePartners

WORKFLOWS: list[type] = [BookTrip, ProbePartners, AuditStores]
