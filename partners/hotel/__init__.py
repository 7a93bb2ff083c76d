"""The hotel partner: rooms by the night, in a document database that speaks MongoDB's protocol."""

from partners.hotel.body import HotelStay
from partners.hotel.database import ENGINE_ERRORS
from partners.hotel.open import open_hotel
from partners.service import PartnerService

service = PartnerService(
    name="hotel",
    title="Hotels: rooms by the night",
    body=HotelStay,
    engine_errors=ENGINE_ERRORS,
    open=open_hotel,
)
