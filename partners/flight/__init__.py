"""The flight partner: seats on a day's flight, in a key-value store that speaks Redis's protocol."""

from partners.flight.body import FlightSeats
from partners.flight.open import open_flight
from partners.redis import ENGINE_ERRORS
from partners.service import PartnerService

service = PartnerService(
    name="flight",
    title="Flights: seats on a day's flight",
    body=FlightSeats,
    engine_errors=ENGINE_ERRORS,
    open=open_flight,
)
