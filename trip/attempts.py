"""An attempt of a call to a partner that did not succeed, as it is kept beside the trip."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from trip.partner import Partner, Verb


class AttemptOutcome(StrEnum):
    """How an attempt ended that did not succeed."""

    UNANSWERED = "unanswered"
    """Sent, and whether it took effect is unknown."""
    REFUSED = "refused"
    """Refused for good."""
    KEPT_OUT = "kept_out"
    """The breaker was open."""
    PUT_OFF = "put_off"
    """The retry budget was spent, or others had waited before it."""


SENT_NOTHING = frozenset({AttemptOutcome.KEPT_OUT, AttemptOutcome.PUT_OFF})


class FailedAttempt(BaseModel):
    """One attempt: when it was sent or looked, how many milliseconds it took, and when the next is due.

    An attempt that is kept out or put off several times is one entry. Then `at` is its first look, `took_ms`
    says how long it has waited, and `next_at` is its next look, or None if no further attempt follows.
    """

    model_config = ConfigDict(frozen=True)

    step: Partner
    verb: Verb
    attempt: int
    at: datetime
    took_ms: int
    outcome: AttemptOutcome
    error: str
    next_at: datetime | None
