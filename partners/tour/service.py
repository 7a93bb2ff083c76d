"""The service that `python -m partners tour` runs."""

from partners.postgres import ENGINE_ERRORS
from partners.service import PartnerService
from partners.tour.declaration import STAY
from partners.tour.store import open_tour

service = PartnerService(
    declaration=STAY,
    engine_errors=ENGINE_ERRORS,
    open=open_tour,
)
