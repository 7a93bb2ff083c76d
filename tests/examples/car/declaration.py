"""The car partner's declaration."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Annotated, Self

from pydantic import Field, model_validator

from partners.declaration import Claim, Stay
from serving.fields import Body, Count, Day, Identifier

MAX_DAYS = 30


class CarRental(Body):
    """Cars for every day from `pick_up` up to, not including, `return_by`."""

    car_id: Annotated[Identifier, Field(title="Car")]
    pick_up: Annotated[Day, Field(title="Pick-up")]
    return_by: Annotated[Day, Field(title="Return by")]
    cars: Count

    @model_validator(mode="after")
    def _days_in_bounds(self) -> Self:
        days = (self.return_by - self.pick_up).days
        if not 1 <= days <= MAX_DAYS:
            raise ValueError(
                f"return_by must be 1 to {MAX_DAYS} days after pick_up, not {days}; move one of them"
            )
        return self

    def claims(self) -> Iterator[Claim]:
        """The cars, once for each day of the rental."""
        for day in range((self.return_by - self.pick_up).days):
            yield Claim(self.car_id, self.pick_up + timedelta(days=day), self.cars)


def _rental(car_id: str, first: date, days: int) -> CarRental:
    return CarRental(car_id=car_id, pick_up=first, return_by=first + timedelta(days=days), cars=1)


STAY = Stay(
    name="car",
    title="Cars: rented by the day",
    port=8106,
    engine="postgres",
    body=CarRental,
    summary=lambda body: f"{body.car_id} {body.pick_up} to {body.return_by}, cars: {body.cars}",
    claims=CarRental.claims,
    example=lambda first: _rental("KYO-COMPACT", first, days=2),
    plenty=lambda first: _rental("BENCH-CAR", first, days=1),
)
