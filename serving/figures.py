"""The figures of this process, which its `/metrics` shows in Prometheus's text format.

A figure counts what this process did, so the figures of all processes may be added. A figure whose name
begins with `trips_record_` or `trips_temporal_` is the whole system's: every process that shows it shows the
same, so the greatest counts, and not the sum. No label has an id of a trip, a tenant or a traveller.
"""

from prometheus_client import PROCESS_COLLECTOR, CollectorRegistry, generate_latest

FIGURES = CollectorRegistry()
"""What this process counts; each figure is made where it is counted."""
FIGURES.register(PROCESS_COLLECTOR)

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600)
"""The buckets of how long a trip takes."""


def as_text() -> bytes:
    """All figures of this process."""
    return generate_latest(FIGURES)
