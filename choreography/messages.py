"""What partners and trips tell one another: CloudEvents in JSON, each under its subject.

A field may be added, and one that is not known is ignored. The type ends in the major version.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)

from serving.fields import shown
from trip.attempts import FailedAttempt
from trip.partner import PARTNER_UNAVAILABLE, Partner

TRIPS = "trips"
"""Who tells what the trips' rows decide. It hears everything."""


class Slip(BaseModel):
    """A routing slip: the stages of an order, and what the partners yet to come need of the order.

    Every stage but the first has one partner. `parts` has no names and no addresses, and the card's token is
    sealed.
    """

    model_config = ConfigDict(frozen=True)

    stages: tuple[tuple[Partner, ...], ...]
    parts: Mapping[Partner, dict[str, Any]] = {}

    def place(self, partner: Partner) -> int | None:
        """The number of the partner's stage. None if the order does not ask for the partner."""
        return next((number for number, stage in enumerate(self.stages) if partner in stage), None)

    def before(self, partner: Partner) -> tuple[Partner, ...]:
        """The partners of the stage before."""
        place = self.place(partner)
        return self.stages[place - 1] if place else ()

    def next_to(self, partner: Partner) -> str:
        """Who goes on when the partner holds: the partner of the next stage, or TRIPS after the last."""
        place = self.place(partner)
        after = () if place is None else self.stages[place + 1 : place + 2]
        return after[0][0].value if after else TRIPS

    def after(self, partner: Partner) -> Self:
        """The slip that the partner passes on."""
        place = self.place(partner) or 0
        left = {other for stage in self.stages[place + 1 :] for other in stage}
        return self.model_copy(
            update={"parts": {other: part for other, part in self.parts.items() if other in left}}
        )

    def bare(self) -> Self:
        """The stages alone."""
        return self.model_copy(update={"parts": {}})


class Data(BaseModel):
    """What every message says. `again`: how often `trips` had told before what this message goes back to.

    `made`: how many attempts at it partners had told of by then, if `trips` tells it.
    """

    model_config = ConfigDict(frozen=True)

    slip: Slip
    again: int = 0
    made: Mapping[Partner, int] = {}


class RowData(Data):
    """What a partner's row says. `seq` grows with the row. `attempt`: how often the act was tried."""

    seq: int
    attempt: int = 1


class HeldData(RowData):
    """`due_minor` is what is due by then, this amount included. No reference: nothing was asked."""

    reference: str | None
    amount_minor: int
    currency: str | None
    expires_at: AwareDatetime | None = None
    due_minor: int


class RefusedData(RowData):
    """Why not."""

    code: str
    message: str


class SettledData(RowData):
    """There is no reference if TRIPS tells it."""

    reference: str | None = None
    amount_minor: int = 0


class TriedData(Data):
    """The attempt, and the code of the failure that the step has if no other attempt follows."""

    attempt: FailedAttempt
    code: str = PARTNER_UNAVAILABLE


def _known(source: str) -> str:
    """The source. Raises ValueError if no partner has that name."""
    return source if source == TRIPS else Partner(source).value


class Message(BaseModel):
    """The attributes of a CloudEvent. `subject` is the trip's id, `source` a partner or TRIPS."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: Annotated[str, AfterValidator(_known)]
    subject: str
    time: AwareDatetime
    data: Data


class Requested(Message):
    """The first stage is to hold."""

    type: Literal["trips.requested.v1"] = "trips.requested.v1"


class Held(Message):
    """The source holds its part; the next stage holds once its whole stage before does."""

    type: Literal["trips.held.v1"] = "trips.held.v1"
    data: HeldData


class Refused(Message):
    """The source refuses for good: its own and earlier stages release."""

    type: Literal["trips.refused.v1"] = "trips.refused.v1"
    data: RefusedData


class Lapsed(Message):
    """The source's hold has expired: the trip's row decides what follows."""

    type: Literal["trips.lapsed.v1"] = "trips.lapsed.v1"
    data: RowData


class Bought(Message):
    """The capture is decided: the last partner captures."""

    type: Literal["trips.bought.v1"] = "trips.bought.v1"


class Captured(Message):
    """The money is in, or nothing was to pay, or an operator settled it: the others confirm."""

    type: Literal["trips.captured.v1"] = "trips.captured.v1"
    data: SettledData


class Confirmed(Message):
    """The source has confirmed."""

    type: Literal["trips.confirmed.v1"] = "trips.confirmed.v1"
    data: SettledData


class Withdrawn(Message):
    """The trip is to be undone: all release."""

    type: Literal["trips.withdrawn.v1"] = "trips.withdrawn.v1"


class Released(Message):
    """The source holds nothing, and never will."""

    type: Literal["trips.released.v1"] = "trips.released.v1"
    data: RowData


class Tried(Message):
    """An attempt of the source that did not succeed."""

    type: Literal["trips.tried.v1"] = "trips.tried.v1"
    data: TriedData


AnyMessage = Annotated[
    Requested | Held | Refused | Lapsed | Bought | Captured | Confirmed | Withdrawn | Released | Tried,
    Field(discriminator="type"),
]

SUBJECTS: dict[type[Message], str] = {
    Requested: "trips.requested",
    Held: "trips.held.{source}.{next}",
    Refused: "trips.refused.{source}",
    Lapsed: "trips.lapsed.{source}",
    Bought: "trips.bought",
    Captured: "trips.captured.{source}",
    Confirmed: "trips.confirmed.{source}",
    Withdrawn: "trips.withdrawn",
    Released: "trips.released.{source}",
    Tried: "trips.tried.{source}",
}

_ANY: TypeAdapter[AnyMessage] = TypeAdapter(AnyMessage)


def read(body: bytes) -> AnyMessage:
    """The message in a body. Raises ValueError if the body is none, or of a version that is not known."""
    return _ANY.validate_json(body)


def reason(error: ValueError) -> str:
    """What is wrong with a body, without what was given."""
    if not isinstance(error, ValidationError):
        return shown(str(error))
    found = error.errors(include_input=False, include_url=False)
    return shown("; ".join(": ".join([*_place(one["loc"]), one["msg"]]) for one in found))


def _place(keys: tuple[int | str, ...]) -> list[str]:
    return [".".join(map(str, keys))] if keys else []


def read_back(document: Mapping[str, Any]) -> AnyMessage:
    """The message of a document that was kept. Raises ValueError if its version is not known."""
    return _ANY.validate_python(document)


def written(message: Message) -> bytes:
    """The message as it is sent."""
    return message.model_dump_json().encode()


def subject(message: Message) -> str:
    """Where the message is published."""
    after = ""
    if isinstance(message, Held):
        after = message.data.slip.next_to(Partner(message.source))
    return SUBJECTS[type(message)].format(source=message.source, next=after)


def message_id(source: str, trip_id: str, what: str | int, again: int) -> str:
    """The id of a message; the broker drops a repeat of an id, so what is told again has an id of its own."""
    return f"{source}/{trip_id}/{what}" + (f"/n{again}" if again else "")
