"""What the activities of a trip are given, and what they find."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from trip.fence import Standing
from trip.partner import Partner, Patience
from trip.trip import Trip


class CaptureDecision(BaseModel):
    """What the row is to say before a capture is sent: the trip, held in full, as of a version."""

    trip: Trip
    version: int


class Terms(BaseModel):
    """What was agreed, which the answer to a hold or to a confirmation has to keep to.

    The amount is in minor units, from `least_minor` to `most_minor`, both included. A hold must expire after
    `now`, which is Temporal's time. A confirmation may repeat the hold's own `expires_at`.
    """

    currency: str
    least_minor: int
    most_minor: int
    now: datetime
    expires_at: datetime | None = None


class PartnerCall(BaseModel):
    """One call. `key` is the trip's id, so that every attempt is safe to repeat. A release has no `terms`.

    `made` counts the attempts that a local activity has made before, and `asked_at` is Temporal's time when
    that was asked for. `past_breaker` lets the first attempt through an open breaker, by an operator's word.
    `decision` is given with a capture.
    """

    # The text of an error goes to logs.
    model_config = ConfigDict(hide_input_in_errors=True)

    key: str
    body: dict[str, object] | None = None
    terms: Terms | None = None
    patience: Patience = Patience.LIMITED
    made: int = 0
    asked_at: datetime | None = None
    past_breaker: bool = False
    decision: CaptureDecision | None = None


class BreakerCheck(BaseModel):
    """Are calls to these partners let in? With `wait` the answer comes once they are."""

    trip_id: str
    partners: list[Partner]
    wait: bool


class BreakerFinding(BaseModel):
    """A partner whose breaker keeps calls out, if any. `standing` is None if the row was not asked.

    `left_s`: how many seconds the trip has left until its deadline, by PostgreSQL's clock.
    """

    open_at: Partner | None
    standing: Standing | None = None
    left_s: float | None = None
