"""What a caller gets from a breaker: a permit to call its partner, or a refusal."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto


class Kind(Enum):
    """How a call was let in, and so what its answer may change."""

    CALL = auto()  # by a closed breaker: counted in the window
    PROBE = auto()  # by a half-open one: closes it or opens it again
    PAST = auto()  # past an open one, by an operator's word: at most a healthy report


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to make one call. `version` fences it: an answer that comes after a change changes nothing."""

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

    `retry_in_s` is when asking again may first be of use, in seconds from here; `open_until` is the end of
    the open time by the database's clock, None where it has no set end.
    """

    def __init__(self, partner: str, retry_in_s: float, open_until: datetime | None) -> None:
        super().__init__(f"the breaker of {partner} is open; ask again in {retry_in_s:.3f} s")
        self.partner = partner
        self.retry_in_s = retry_in_s
        self.open_until = open_until
