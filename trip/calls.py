"""What a call activity is given."""

from pydantic import BaseModel

from trip.partner import Patience
from trip.trip import Trip


class CaptureDecision(BaseModel):
    """What the record is to say before a capture is sent: the trip, held in full, as of a version."""

    trip: Trip
    version: int


class PartnerCall(BaseModel):
    """`key` is the trip's id, so that every attempt is safe to repeat.

    `made` is how many attempts a local activity has made before. `past_breaker` lets the first attempt
    through an open breaker, by an operator's word. With `decision` the call is a capture that no workflow's
    history decides.
    """

    key: str
    body: dict[str, object] | None = None
    patience: Patience = Patience.LIMITED
    made: int = 0
    past_breaker: bool = False
    decision: CaptureDecision | None = None
