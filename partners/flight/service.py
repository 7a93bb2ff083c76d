"""The service that `python -m partners flight` runs."""

from partners.flight.declaration import STAY
from partners.flight.open import open_flight
from partners.redis import ENGINE_ERRORS
from partners.service import PartnerService

service = PartnerService(
    declaration=STAY,
    engine_errors=ENGINE_ERRORS,
    open=open_flight,
)
