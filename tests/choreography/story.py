"""One choreographed trip and all that its partners may tell of it, without partners."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from choreography.decisions import slip_of
from choreography.delivery import Delivery
from choreography.messages import (
    Captured,
    Confirmed,
    Held,
    Lapsed,
    Message,
    Refused,
    Released,
    Tried,
    message_id,
    subject,
    written,
)
from trials.orders import bench_order
from trip.attempts import AttemptOutcome, FailedAttempt
from trip.order import TripOrder
from trip.partner import PAYMENT, POINTS, Partner, Verb
from trip.trip import Booking, Links

PRICE, REDEEMED = 1000, 50
STAYS = (Partner("hotel"), Partner("tour"), Partner("flight"))
TENANT = "stories"


@dataclass
class Story:
    """A trip of every part, whose stays cost PRICE each. `changes` are to its order."""

    changes: dict[str, Any] = field(default_factory=dict)
    trip_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def booked_at(self, accepted_at: datetime) -> Booking:
        """The trip's booking."""
        place = f"/trips/{self.trip_id}"
        order = bench_order(**{"coordination": "choreography", **self.changes})
        return Booking(
            trip_id=self.trip_id,
            tenant=TENANT,
            order=TripOrder.model_validate(order),
            accepted_at=accepted_at,
            links=Links(self_=place, events=f"{place}/events", temporal_ui=None),
        )

    def held(self, partner: Partner, **more: Any) -> Message:
        amount, due = PRICE, PRICE
        if partner is POINTS:
            amount, due = -REDEEMED, len(STAYS) * PRICE - REDEEMED
        elif partner is PAYMENT:
            amount, due = len(STAYS) * PRICE - REDEEMED, 2 * (len(STAYS) * PRICE - REDEEMED)
        said = {"reference": f"R-{partner}", "amount_minor": amount, "currency": "JPY", "due_minor": due}
        return self._says(Held, partner, 1, said | more)

    def all_held(self) -> list[Message]:
        return [self.held(partner) for partner in Partner]

    def confirmed(self, partner: Partner) -> Message:
        kind = Captured if partner is PAYMENT else Confirmed
        return self._says(kind, partner, 2, {"reference": f"R-{partner}"})

    def all_confirmed(self) -> list[Message]:
        return [self.confirmed(partner) for partner in Partner]

    def refused(self, partner: Partner, code: str = "sold_out") -> Message:
        return self._says(Refused, partner, 1, {"code": code, "message": "no more"})

    def released(self, partner: Partner) -> Message:
        return self._says(Released, partner, 3, {})

    def lapsed(self, partner: Partner) -> Message:
        return self._says(Lapsed, partner, 2, {})

    def tried(self, partner: Partner, verb: Verb, attempt: int = 1, *, last: bool = False) -> Message:
        at = datetime.now(UTC)
        one = FailedAttempt(
            step=partner,
            verb=verb,
            attempt=attempt,
            at=at,
            took_ms=3,
            outcome=AttemptOutcome.UNANSWERED,
            error="status 503",
            next_at=None if last else at + timedelta(seconds=1),
        )
        return self._says(Tried, partner, f"{verb}/{attempt}", {"attempt": one})

    def _says(self, kind: type[Message], partner: Partner, seq: int | str, said: dict[str, Any]) -> Message:
        now = datetime.now(UTC)
        slip = slip_of(self.booked_at(now)).model_dump()
        if isinstance(seq, int):
            said = said | {"seq": seq}
        return kind.model_validate(
            {
                "id": message_id(partner.value, self.trip_id, seq, 0),
                "source": partner.value,
                "subject": self.trip_id,
                "time": now,
                "data": {"slip": slip, **said},
            }
        )


def delivery(message: Message, attempt: int = 1) -> Delivery:
    """The message as a listener gives it."""
    return Delivery(subject(message), written(message), message.id, attempt, datetime.now(UTC))
