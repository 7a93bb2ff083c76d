"""The service that `python -m partners hotel` runs."""

from partners.hotel.database import ENGINE_ERRORS
from partners.hotel.declaration import STAY
from partners.hotel.open import open_hotel
from partners.service import PartnerService

service = PartnerService(
    declaration=STAY,
    engine_errors=ENGINE_ERRORS,
    open=open_hotel,
)
