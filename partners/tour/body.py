"""What a hold at the tour partner asks for."""

from serving.fields import Body, Count, Day, Identifier


class TourSeats(Body):
    """Seats on a tour's departure of one day."""

    tour_id: Identifier
    date: Day
    seats: Count
