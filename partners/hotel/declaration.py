"""The hotel partner's declaration."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Annotated, Self

from pydantic import Field, model_validator

from partners.declaration import Claim, Stay
from serving.fields import Body, Count, Day, Identifier

MAX_NIGHTS = 60


class HotelStay(Body):
    """Rooms for every night from `check_in` up to, not including, `check_out`."""

    hotel_id: Annotated[Identifier, Field(title="Hotel")]
    check_in: Annotated[Day, Field(title="Check-in")]
    check_out: Annotated[Day, Field(title="Check-out")]
    rooms: Count

    @model_validator(mode="after")
    def _nights_in_bounds(self) -> Self:
        nights = (self.check_out - self.check_in).days
        if not 1 <= nights <= MAX_NIGHTS:
            raise ValueError(
                f"check_out must be 1 to {MAX_NIGHTS} nights after check_in, not {nights}; move one of them"
            )
        return self

    def nights(self) -> Iterator[date]:
        """Each night by the day on which it begins."""
        for night in range((self.check_out - self.check_in).days):
            yield self.check_in + timedelta(days=night)


STAY = Stay(
    name="hotel",
    title="Hotels: rooms by the night",
    port=8101,
    engine="mongo",
    body=HotelStay,
    summary=lambda body: f"{body.hotel_id} {body.check_in} to {body.check_out}, rooms: {body.rooms}",
    claims=lambda body: (Claim(body.hotel_id, night, body.rooms) for night in body.nights()),
    example=lambda first: HotelStay(
        hotel_id="KYO-RYOKAN", check_in=first, check_out=first + timedelta(days=3), rooms=1
    ),
    plenty=lambda first: HotelStay(
        hotel_id="BENCH-HOTEL", check_in=first, check_out=first + timedelta(days=3), rooms=1
    ),
)
