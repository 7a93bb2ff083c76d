"""What a traveller orders: the body of `POST /trips`."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, StringConstraints, WrapValidator, create_model, model_validator

from partners.catalogue import STAYS, CatalogueError
from partners.payment.declaration import CardToken
from serving.fields import WHOLE, Body, Identifier
from trip.partner import Partner

MAX_DEADLINE_S = 86_400

_EMAIL = r"^[^@\s\x00-\x1f\x7f-\x9f]+@[^@\s\x00-\x1f\x7f-\x9f]+$"

Currency = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Z]{3}$")]


class Traveller(Body):
    """Who travels; `member_id` is needed to redeem points."""

    name: Identifier
    email: Annotated[
        Identifier,
        StringConstraints(pattern=_EMAIL),
        Field(title="E-mail", json_schema_extra={"pattern": _EMAIL}),
    ]
    member_id: Annotated[Identifier | None, Field(title="Member")] = None


class PointsOrder(Body):
    """Points to take off the price; a point is worth one unit of the trip's currency."""

    redeem: Annotated[int, Field(strict=True, ge=1, le=10**9), WHOLE]


class PaymentMethod(Body):
    """How the rest is paid."""

    card_token: CardToken
    currency: Currency


if TYPE_CHECKING:
    _OfTraveller = Body
else:
    _OfTraveller = create_model(
        "_OfTraveller",
        __base__=Body,
        **{"traveller": (Traveller, ...)} | {stay.name: (stay.body | None, None) for stay in STAYS},
    )


Coordination = Literal["orchestration", "choreography"]
"""How a trip is carried to its end: by one workflow that asks every partner, or by partners that listen."""


class OrderedDay(NamedTuple):
    """A date in an order, and the field that holds it."""

    field: str
    day: date


class TripOrder(_OfTraveller):
    """What is to be booked, wholly or not at all; each stay of the catalogue has a field of its name."""

    if TYPE_CHECKING:
        traveller: Traveller
    points: PointsOrder | None = None
    payment: PaymentMethod
    when_partner_down: Annotated[Literal["fail", "wait"], Field(title="If a partner is down")] = "fail"
    deadline_s: Annotated[int, Field(strict=True, ge=1, le=MAX_DEADLINE_S, title="Deadline (s)"), WHOLE] = 300
    coordination: Annotated[Coordination | None, Field(title="Coordination")] = None

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        if not any(self.part(stay.name) for stay in STAYS):
            *most, last = (stay.name for stay in STAYS)
            raise ValueError(f"one of {', '.join(most)} or {last} is needed; add at least one")
        if self.points and not self.traveller.member_id:
            raise ValueError("points need traveller.member_id; add it or leave points out")
        return self

    def part(self, name: str) -> Any:
        """The field of that name: what is ordered of a partner, or None."""
        return getattr(self, name)

    def partners(self) -> list[Partner]:
        """The partners that this order asks for, in the order of a trip's steps; payment is always one."""
        return [partner for partner in Partner if self.part(partner) is not None]

    def as_sent(self) -> dict[str, Any]:
        """What the traveller wants, without the defaults: the same, whatever fields a version adds.

        Who coordinates the trip is no part of that: an order that does not say takes what the front door is
        set to, which may change between two calls with one idempotency key.
        """
        return self.model_dump(mode="json", exclude_defaults=True, exclude={"coordination"})

    def days(self) -> Iterator[OrderedDay]:
        """Every date in the order."""
        for stay in STAYS:
            if part := self.part(stay.name):
                for name, value in part:
                    if isinstance(value, date):
                        yield OrderedDay(f"{stay.name}.{name}", value)


def read_back(order: Any) -> TripOrder:
    """An order from the record or a history, perhaps as another version wrote it. Raises ValueError.

    Fields that are unknown here are left out, but no part: a trip is booked wholly or not at all.
    """
    if isinstance(order, TripOrder):
        return order
    if parts := [
        name for name in order if name not in TripOrder.model_fields and isinstance(order[name], dict)
    ]:
        raise ValueError(f"this version cannot book {' and '.join(parts)}")
    return TripOrder.model_validate(order, extra="ignore")


KeptOrder = Annotated[TripOrder, WrapValidator(lambda order, _: read_back(order))]


def distinct_from_own(names: Iterable[str]) -> None:
    """Raises CatalogueError if a stay has the name of a field that every order has."""
    if taken := {"traveller", *TripOrder.__annotations__, *dir(Body)}.intersection(names):
        raise CatalogueError(f"an order has a field of its own by the name of {' and '.join(sorted(taken))}")


distinct_from_own(stay.name for stay in STAYS)
