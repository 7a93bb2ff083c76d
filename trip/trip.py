"""A trip: what a traveller orders, and the record of how far its booking has come."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from serving.fields import WHOLE, Body, Count, Day, Identifier
from trip.partner import Partner, Sending

MAX_NIGHTS = 60
MAX_DEADLINE_S = 86_400


_EMAIL = r"^[^@\s\x00-\x1f\x7f-\x9f]+@[^@\s\x00-\x1f\x7f-\x9f]+$"

Currency = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Z]{3}$")]


class Traveller(Body):
    """Who travels; `member_id` is needed to redeem points."""

    name: Identifier
    email: Annotated[
        Identifier, StringConstraints(pattern=_EMAIL), Field(json_schema_extra={"pattern": _EMAIL})
    ]
    member_id: Identifier | None = None


class HotelStay(Body):
    """Nights from `check_in` up to, not including, `check_out`."""

    hotel_id: Identifier
    check_in: Day
    check_out: Day
    rooms: Count

    @model_validator(mode="after")
    def _nights_in_bounds(self) -> Self:
        nights = (self.check_out - self.check_in).days
        if not 1 <= nights <= MAX_NIGHTS:
            raise ValueError(
                f"check_out must be 1 to {MAX_NIGHTS} nights after check_in, not {nights}; move one of them"
            )
        return self


class TourSeats(Body):
    """Seats on a tour's departure of one day."""

    tour_id: Identifier
    date: Day
    seats: Count


class FlightSeats(Body):
    """Seats on a flight of one day."""

    flight_no: Identifier
    date: Day
    seats: Count


class PointsRedemption(Body):
    """Points to take off the price; a point is worth one unit of the trip's currency."""

    redeem: Annotated[int, Field(strict=True, ge=1, le=10**9), WHOLE]


class PaymentMethod(Body):
    """How the rest is paid."""

    card_token: Identifier
    currency: Currency


class TripOrder(Body):
    """The body of `POST /trips`: the parts of a trip that are to be booked wholly or not at all."""

    traveller: Traveller
    hotel: HotelStay | None = None
    tour: TourSeats | None = None
    flight: FlightSeats | None = None
    points: PointsRedemption | None = None
    payment: PaymentMethod
    when_partner_down: Literal["fail", "wait"] = "fail"
    deadline_s: Annotated[int, Field(strict=True, ge=1, le=MAX_DEADLINE_S), WHOLE] = 300

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        if not (self.hotel or self.tour or self.flight):
            raise ValueError("one of hotel, tour or flight is needed; add at least one")
        if self.points and not self.traveller.member_id:
            raise ValueError("points need traveller.member_id; add it or leave points out")
        return self

    def partners(self) -> list[Partner]:
        """The partners this order asks for, in the order of a trip's steps; payment is always one."""
        return [partner for partner in Partner if getattr(self, partner.value) is not None]

    def body(self, partner: Partner) -> dict[str, object]:
        """What this order asks of the hotel, the tour or the flight, as JSON; KeyError for others."""
        parts = {Partner.HOTEL: self.hotel, Partner.TOUR: self.tour, Partner.FLIGHT: self.flight}
        part = parts[partner]
        if part is None:
            raise KeyError(partner)
        return part.model_dump(mode="json")


class TripStatus(StrEnum):
    """How far the trip as a whole has come."""

    BOOKING = "booking"
    CONFIRMED = "confirmed"
    COMPENSATING = "compensating"
    FAILED = "failed"
    CANCELLED = "cancelled"
    NEEDS_ATTENTION = "needs_attention"


FINAL_STATUSES = frozenset({TripStatus.CONFIRMED, TripStatus.FAILED, TripStatus.CANCELLED})


class StepStatus(StrEnum):
    """How far one step of a trip has come; `unknown` means sent, with no answer known yet."""

    PENDING = "pending"
    HELD = "held"
    CONFIRMED = "confirmed"
    RELEASED = "released"
    FAILED = "failed"
    UNKNOWN = "unknown"


class StepError(BaseModel):
    """Why a step's last call did not succeed."""

    code: str
    message: str


class CallRecord(BaseModel):
    """What came of a confirmation or a release: after how many attempts, when, and the last error."""

    attempts: int
    at: datetime
    error: StepError | None = None


class Step(BaseModel):
    """One partner's part of the trip. `attempts` counts the holds sent, the first included.

    `held_at` is when the hold was answered; `confirmation` and `release` are None until they are called.
    """

    name: Partner
    status: StepStatus = StepStatus.PENDING
    reference: str | None = None
    amount_minor: int | None = None
    attempts: int = 0
    error: StepError | None = None
    held_at: datetime | None = None
    confirmation: CallRecord | None = None
    release: CallRecord | None = None


class Total(BaseModel):
    """What is left to pay, in minor units of an ISO 4217 currency; None until the price is known."""

    amount_minor: int | None = None
    currency: str


class Failure(BaseModel):
    """The step that could not be had, and why."""

    step: Partner | None
    code: str
    message: str


class OperatorOrder(BaseModel):
    """What a person decided about a step that needs attention, and who.

    `retry` has it tried again at once, past its breaker; `resolve` takes it as settled by hand outside.
    """

    step: Partner
    action: Literal["retry", "resolve"]
    who: str
    note: str | None = None


class Intervention(OperatorOrder):
    """An operator's order as the trip keeps it."""

    at: datetime


class Links(BaseModel):
    """Where to go from a trip."""

    self_: Annotated[str, Field(alias="self")]
    events: str
    temporal_ui: str

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)


class Trip(BaseModel):
    """The record of a trip, as the workflow keeps it and the front door shows it."""

    trip_id: str
    status: TripStatus = TripStatus.BOOKING
    created_at: datetime
    updated_at: datetime
    steps: list[Step]
    total: Total
    failure: Failure | None = None
    interventions: list[Intervention] = []
    links: Links

    def step(self, partner: Partner) -> Step:
        """The step of `partner`; KeyError where the trip does not have it."""
        for step in self.steps:
            if step.name is partner:
                return step
        raise KeyError(partner)


class Barring(BaseModel):
    """How far a trip had come that is to send nothing more: `trip` where its capture is decided."""

    sending: Sending
    trip: Trip | None = None


class Booking(BaseModel):
    """What a trip's workflow is started with: an order that was accepted."""

    trip_id: str
    tenant: str
    order: TripOrder
    accepted_at: datetime
    links: Links


def new_trip(booking: Booking) -> Trip:
    """The record of an order of which nothing has been sent yet."""
    order = booking.order
    return Trip(
        trip_id=booking.trip_id,
        created_at=booking.accepted_at,
        updated_at=booking.accepted_at,
        steps=[Step(name=partner) for partner in order.partners()],
        total=Total(currency=order.payment.currency),
        links=booking.links,
    )
