"""What every partner serves, as the caller sees it: names, verbs, answers and refusals."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from partners.catalogue import PARTNERS
from partners.declaration import Declaration
from partners.payment.declaration import PAYMENT as PIVOT
from partners.points.declaration import POINTS as DISCOUNT

if TYPE_CHECKING:

    class Partner(StrEnum):
        """A downstream service by its name; the order is that of a trip's steps."""

else:
    Partner = StrEnum("Partner", {partner.name.upper(): partner.name for partner in PARTNERS})

POINTS, PAYMENT = Partner(DISCOUNT.name), Partner(PIVOT.name)
"""The discount, and the pivot."""


def declared(partner: Partner) -> Declaration[Any]:
    """What the partner declares of itself."""
    return _DECLARED[partner]


_DECLARED = {Partner(partner.name): partner for partner in PARTNERS}


class Verb(StrEnum):
    """What the saga asks of a partner: a hold, its confirmation, or its release."""

    RESERVE = "reserve"
    CONFIRM = "confirm"
    RELEASE = "release"


class ReservationStatus(StrEnum):
    """Where a reservation stands at its partner."""

    HELD = "held"
    CONFIRMED = "confirmed"
    RELEASED = "released"
    EXPIRED = "expired"


class Reservation(BaseModel):
    """A partner's answer to a hold, a confirmation or a release, once it was found usable.

    `amount_minor` is in minor units of `currency` (ISO 4217), negative if it takes off the price. A release
    has only `key` and `status`.
    """

    model_config = ConfigDict(frozen=True)

    key: str
    status: ReservationStatus
    reference: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    expires_at: datetime | None = None


class Patience(StrEnum):
    """What a call does where its partner does not answer or its breaker is open."""

    NONE = "none"
    """Tries as often as it may, and gives up at once at an open breaker."""
    WAIT = "wait"
    """Tries as often as it may, and waits out an open breaker for as long as its trip does."""
    LIMITED = "limited"
    """Tries as often as it may, and waits out an open breaker for a while."""
    ENDLESS = "endless"
    """Never gives up."""


class PartnerAnswer(BaseModel):
    """What a call activity gives back: the reservation, and how many attempts it took."""

    reservation: Reservation
    attempts: int


class CallError(BaseModel):
    """Why a call failed, after how many attempts: with none, nothing was ever sent.

    `final` means that no repetition can change it, and that the attempt it answers took no effect.
    `retry_in_s` is when the next attempt is due, where there is to be one.
    """

    code: str
    message: str
    attempts: int
    final: bool
    retry_in_s: float = 0


PARTNER_UNAVAILABLE = "partner_unavailable"
PARTNER_REFUSED = "partner_refused"
PARTNER_ANSWER_INVALID = "partner_answer_invalid"
DEADLINE_EXCEEDED = "deadline_exceeded"
EXPIRED = "expired"
WORKFLOW_LOST = "workflow_lost"
UNDONE = "undone"
"""A capture that may not be sent, since another run undoes the trip."""

FINAL_CODES: dict[Verb, frozenset[str]] = {
    Verb.RESERVE: frozenset({"sold_out", "not_found", "declined", "insufficient_points", "closed"}),
    Verb.CONFIRM: frozenset({EXPIRED, "closed", "not_found"}),
    Verb.RELEASE: frozenset(),
}
"""The refusals that end a call for good. A release is never refused for good, so it has none."""


def activity_name(verb: Verb, partner: Partner) -> str:
    """The name of a call in a trip's history, such as `reserve_hotel`."""
    return f"{verb.value}_{partner.value}"


TASK_QUEUE = "trips"
"""The task queue of workflows and activities, but for the audit's."""

AUDIT_QUEUE = "audits"
"""The task queue of the audit, so that a process of its own may serve it."""
