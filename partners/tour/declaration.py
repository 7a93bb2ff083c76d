"""The tour partner's declaration."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from partners.declaration import Claim, Stay
from serving.fields import Body, Count, Day, Identifier


class TourSeats(Body):
    """Seats on a tour's departure of one day."""

    tour_id: Annotated[Identifier, Field(title="Tour")]
    date: Day
    seats: Count


STAY = Stay(
    name="tour",
    title="Tours: seats on a day's departure",
    port=8102,
    engine="postgres",
    body=TourSeats,
    summary=lambda body: f"{body.tour_id} {body.date}, seats: {body.seats}",
    claims=lambda body: (Claim(body.tour_id, body.date, body.seats),),
    example=lambda first: TourSeats(tour_id="KYOTO-WALK", date=first + timedelta(days=1), seats=2),
    plenty=lambda first: TourSeats(tour_id="BENCH-TOUR", date=first, seats=1),
)
