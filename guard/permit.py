"""What a breaker answers: a permit for one call, or that it keeps the call out."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto


class Kind(Enum):
    """How a call was let in. It decides what the call's answer may change."""

    CALL = auto()  # by a closed breaker: the answer is counted in the window
    PROBE = auto()  # by a half-open breaker: the answer closes it or opens it again
    PAST = auto()  # past an open breaker, by an operator's word: a success is a healthy report


@dataclass(frozen=True, slots=True)
class Permit:
    """A permit for one call. If the breaker's version changes meanwhile, the answer changes nothing."""

    partner: str
    version: int
    kind: Kind = Kind.CALL
    local: bool = False

    @property
    def probe(self) -> bool:
        """Whether the breaker waits for this call's answer."""
        return self.kind is Kind.PROBE


class BreakerOpen(Exception):
    """The breaker keeps the call out.

    Asking again may help after `retry_in_s` seconds. `open_until` is the end of the open time, by the
    database's clock. It is None if no end is set.
    """

    def __init__(self, partner: str, retry_in_s: float, open_until: datetime | None) -> None:
        super().__init__(f"the breaker of {partner} is open; ask again in {retry_in_s:.3f} s")
        self.partner = partner
        self.retry_in_s = retry_in_s
        self.open_until = open_until
