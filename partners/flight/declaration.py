"""The flight partner's declaration."""

from typing import Annotated

from pydantic import Field

from partners.declaration import Claim, Stay
from serving.fields import Body, Count, Day, Identifier


class FlightSeats(Body):
    """Seats on a flight of one day."""

    flight_no: Annotated[Identifier, Field(title="Flight")]
    date: Day
    seats: Count


STAY = Stay(
    name="flight",
    title="Flights: seats on a day's flight",
    port=8103,
    engine="redis",
    body=FlightSeats,
    summary=lambda body: f"{body.flight_no} {body.date}, seats: {body.seats}",
    claims=lambda body: (Claim(body.flight_no, body.date, body.seats),),
    example=lambda first: FlightSeats(flight_no="NH847", date=first, seats=2),
    plenty=lambda first: FlightSeats(flight_no="BENCH-FLIGHT", date=first, seats=1),
)
