"""What a hold at the flight partner asks for."""

from serving.fields import Body, Count, Day, Identifier


class FlightSeats(Body):
    """Seats on a flight of one day."""

    flight_no: Identifier
    date: Day
    seats: Count
