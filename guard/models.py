"""What is sent to the breakers' store, and what it answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from guard.policy import Outcome, State

Override = Literal["open", "closed"]


@dataclass(slots=True)
class Tally:
    """Counted answers to calls that a closed breaker of `version` let in. `error` is the last one."""

    version: int
    calls: int = 0
    failures: int = 0
    slow: int = 0
    error: str | None = None

    def add(self, outcome: Outcome, error: str | None) -> None:
        """Count one more answer."""
        self.calls += 1
        self.failures += outcome is Outcome.FAILURE
        self.slow += outcome is Outcome.SLOW
        self.error = error or self.error

    def add_all(self, other: "Tally") -> None:
        """Count the answers of `other` too."""
        self.calls += other.calls
        self.failures += other.failures
        self.slow += other.slow
        self.error = other.error or self.error


class Standing(BaseModel):
    """How a breaker stands. `version` is its fence; `…_left_s` are seconds from the moment of the answer."""

    model_config = ConfigDict(frozen=True)

    partner: str
    state: State = State.CLOSED
    override: Override | None = None
    version: int = 1
    consecutive_opens: int = 0
    open_until: datetime | None = None
    open_left_s: float = 0.0
    lease_owner: str | None = None
    lease_left_s: float = 0.0


class Breaker(BaseModel):
    """A breaker for people to read. `calls`, `failures` and `slow` count what is in the window."""

    partner: str
    state: State
    override: Override | None
    override_reason: str | None
    override_who: str | None
    open_until: datetime | None
    calls: int
    failures: int
    slow: int
    last_error: str | None
    updated_at: datetime | None


class BreakerEvent(BaseModel):
    """A change of a breaker. `calls` and `failures` count what was in the window at that moment."""

    event_id: int
    partner: str
    at: datetime
    from_state: State
    to_state: State
    cause: str
    who: str | None
    reason: str | None
    calls: int
    failures: int
