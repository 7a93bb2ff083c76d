"""Is a partner's answer usable for the call that was sent?"""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from serving.fields import Identifier
from trip.calls import Terms
from trip.partner import Reservation, ReservationStatus, Verb

MAX_AMOUNT = 10**12

_HELD, _CONFIRMED = ReservationStatus.HELD, ReservationStatus.CONFIRMED

_NEW, _AGAIN = 201, 200

_STATUSES = {
    (Verb.RESERVE, _NEW): {_HELD},
    (Verb.RESERVE, _AGAIN): {_HELD, _CONFIRMED},
    (Verb.CONFIRM, _NEW): {_CONFIRMED},
    (Verb.CONFIRM, _AGAIN): {_CONFIRMED},
    (Verb.RELEASE, _NEW): {ReservationStatus.RELEASED},
    (Verb.RELEASE, _AGAIN): {ReservationStatus.RELEASED},
}
"""What a reservation's status may be, by what was asked and by the answer's HTTP status."""


class Unusable(Exception):
    """The answer does not fit the call, so nobody knows what the call did. The text says what is wrong."""


class _Answer(BaseModel):
    model_config = ConfigDict(strict=True)

    key: str
    status: ReservationStatus


class _Priced(_Answer):
    reference: Identifier
    amount_minor: Annotated[int, Field(ge=-MAX_AMOUNT, le=MAX_AMOUNT)]
    currency: str
    expires_at: AwareDatetime | None = None


def usable(verb: Verb, key: str, terms: Terms | None, status: int, body: bytes) -> Reservation:
    """The reservation in an answer with this HTTP status, which is 2xx. Raises Unusable."""
    allowed = _STATUSES.get((verb, status))
    if allowed is None:
        raise Unusable(f"status {status}")
    try:
        answer = (_Answer if verb is Verb.RELEASE else _Priced).model_validate_json(body)
    except ValidationError as error:
        raise Unusable(_first(error)) from None
    if answer.key != key:
        raise Unusable(f"another key: {answer.key}")
    if answer.status not in allowed:
        raise Unusable(f"a reservation that is {answer.status}")
    if isinstance(answer, _Priced) and terms is not None:
        _keeps_to(terms, answer)
    return Reservation.model_construct(**vars(answer))


def _keeps_to(terms: Terms, answer: _Priced) -> None:
    if answer.currency != terms.currency:
        raise Unusable(f"currency {answer.currency}, not {terms.currency}")
    if not terms.least_minor <= answer.amount_minor <= terms.most_minor:
        agreed = " to ".join(str(amount) for amount in sorted({terms.least_minor, terms.most_minor}))
        raise Unusable(f"amount {answer.amount_minor}, not {agreed}")
    expires_at = answer.expires_at
    if expires_at is not None and expires_at <= terms.now and expires_at != terms.expires_at:
        raise Unusable(f"a hold that expired at {expires_at.isoformat()}")


def _first(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in found["loc"])
    return f"{place}: {found['msg']}" if place else str(found["msg"])
