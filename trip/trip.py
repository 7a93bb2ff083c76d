"""A trip: how far the booking of an order has come."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trip.order import Coordination, KeptOrder
from trip.partner import CallError, Partner


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


def step_error(error: CallError) -> StepError:
    """A call's error as its step shows it."""
    return StepError(code=error.code, message=error.message)


class CallRecord(BaseModel):
    """What came of a confirmation or a release: after how many attempts, when, and the last error."""

    attempts: int
    at: datetime
    error: StepError | None = None


class Step(BaseModel):
    """One partner's part of the trip. `attempts` counts the holds sent, the first included.

    `held_at` is when the hold was answered, and `expires_at` until when it holds, if the partner says so.
    `confirmation` and `release` are None until they are called.
    """

    name: Partner
    status: StepStatus = StepStatus.PENDING
    reference: str | None = None
    amount_minor: int | None = None
    attempts: int = 0
    error: StepError | None = None
    held_at: datetime | None = None
    expires_at: datetime | None = None
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


class Intervention(BaseModel):
    """What was done to a trip from outside. Without a step, it was done to the whole trip.

    `take_over`: the trip's workflow was ended or lost, and another one goes on from what the record says.
    """

    step: Partner | None
    action: Literal["retry", "resolve", "take_over"]
    who: str
    note: str | None = None
    at: datetime


class Links(BaseModel):
    """Addresses of the trip and of what belongs to it. A choreographed trip has none in Temporal's UI."""

    self_: Annotated[str, Field(alias="self")]
    events: str
    temporal_ui: str | None

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
    coordination: Coordination = "orchestration"
    links: Links

    @property
    def is_held_in_full(self) -> bool:
        """Whether the amount of every step is known."""
        return all(step.amount_minor is not None for step in self.steps)

    def step(self, partner: Partner) -> Step:
        """The step of `partner`. Raises KeyError if the trip does not have it."""
        for step in self.steps:
            if step.name is partner:
                return step
        raise KeyError(partner)


class Takeover(BaseModel):
    """Why a trip is taken over: how its workflow was `found`, and what the record shows, if readable."""

    who: str
    found: str
    trip: Trip | None


class Booking(BaseModel):
    """What a trip's workflow is started with: an order that was accepted.

    `is_searchable`: the namespace has the search attributes of trips. `traceparent`: the span, by W3C, in
    which the order was accepted, so that the trip continues its trace however late it starts.
    """

    # The text of an error goes to logs.
    model_config = ConfigDict(hide_input_in_errors=True)

    trip_id: str
    tenant: str
    order: KeptOrder
    accepted_at: datetime
    links: Links
    is_searchable: bool = True
    takeover: Takeover | None = None
    traceparent: Annotated[str | None, Field(exclude_if=lambda parent: parent is None)] = None


def new_trip(booking: Booking) -> Trip:
    """The trip of an order, before anything is sent."""
    order = booking.order
    return Trip(
        trip_id=booking.trip_id,
        created_at=booking.accepted_at,
        updated_at=booking.accepted_at,
        steps=[Step(name=partner) for partner in order.partners()],
        total=Total(currency=order.payment.currency),
        coordination=order.coordination or "orchestration",
        links=booking.links,
    )


def shown(document: dict[str, Any]) -> dict[str, Any]:
    """A trip that is read back, in today's shape: what is missing is filled in, what is unknown is left out.

    If it has a step or a status that this version does not know, it is shown as it was written.
    """
    try:
        return Trip.model_validate(document).model_dump(mode="json")
    except ValidationError:
        return document
