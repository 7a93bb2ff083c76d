"""What a hold at the hotel partner asks for."""

from datetime import timedelta
from typing import Self

from pydantic import model_validator

from serving.fields import Body, Count, Day, Identifier

MAX_NIGHTS = 60


class HotelStay(Body):
    """Rooms in a hotel for every night from `check_in` up to, not including, `check_out`."""

    hotel_id: Identifier
    check_in: Day
    check_out: Day
    rooms: Count

    @model_validator(mode="after")
    def _stays_at_least_a_night(self) -> Self:
        if not 1 <= (self.check_out - self.check_in).days <= MAX_NIGHTS:
            raise ValueError(f"check_out must be 1 to {MAX_NIGHTS} nights after check_in")
        return self

    def nights(self) -> list[str]:
        """The names of the nights stayed: the hotel and the date, such as `KYO-RYOKAN/2027-03-01`."""
        count = (self.check_out - self.check_in).days
        return [f"{self.hotel_id}/{self.check_in + timedelta(days=day)}" for day in range(count)]
