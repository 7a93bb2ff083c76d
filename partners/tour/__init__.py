"""The tour partner: seats on a day's departure, in PostgreSQL."""

from partners.postgres import ENGINE_ERRORS
from partners.service import PartnerService
from partners.tour.body import TourSeats
from partners.tour.store import open_tour

service = PartnerService(
    name="tour",
    title="Tours: seats on a day's departure",
    body=TourSeats,
    engine_errors=ENGINE_ERRORS,
    open=open_tour,
)
