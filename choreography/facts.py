"""What was heard of a trip: a set that only grows, whatever the order and repeats of messages are. Pure."""

from collections.abc import Iterable
from datetime import datetime

from pydantic import AwareDatetime, BaseModel

from choreography.messages import (
    TRIPS,
    Captured,
    Confirmed,
    Held,
    Lapsed,
    Message,
    Refused,
    Released,
    RowData,
    Tried,
)
from trip.partner import Partner, Verb
from trip.trip import Intervention, StepError


class State(BaseModel):
    """What a partner's row was at `seq`, told at `at`, after so many attempts."""

    seq: int
    at: AwareDatetime
    attempts: int = 1
    reference: str | None = None
    amount_minor: int = 0
    due_minor: int = 0
    expires_at: AwareDatetime | None = None
    error: StepError | None = None


class Trouble(BaseModel):
    """What is known of attempts that did not succeed: the most of them, and the latest `error`.

    `given_up`: a message became a dead letter. Attempts at the message told again do not unsay that.
    """

    attempts: int
    at: AwareDatetime
    error: StepError
    given_up: bool = False

    def rank(self) -> tuple[datetime, str, str]:
        """The later one has the greater rank. Of two at the same time, always the same one has."""
        return self.at, self.error.code, self.error.message


class Heard(BaseModel):
    """What was heard of one partner: the latest row of each kind, and its trouble by what was tried."""

    held: State | None = None
    refused: State | None = None
    lapsed: State | None = None
    confirmed: State | None = None
    released: State | None = None
    trouble: dict[Verb, Trouble] = {}

    def latest(self) -> tuple[str, State] | None:
        """The kind of the row as it last was, and its state."""
        known = [(kind, state) for kind in KINDS if (state := getattr(self, kind)) is not None]
        return max(known, key=lambda one: one[1].seq, default=None)


KINDS = ("held", "refused", "lapsed", "confirmed", "released")

_KIND_OF: dict[type[Message], str] = {
    Held: "held",
    Refused: "refused",
    Lapsed: "lapsed",
    Confirmed: "confirmed",
    Captured: "confirmed",
    Released: "released",
}


class Facts(BaseModel):
    """All that was heard of a trip, what operators did, and how often it told again.

    `decided_at` is when the row last decided, by the clock that times the interventions.
    """

    partners: dict[Partner, Heard] = {}
    interventions: list[Intervention] = []
    decided_at: AwareDatetime | None = None
    again: int = 0

    def of(self, partner: Partner) -> Heard:
        """What was heard of the partner."""
        return self.partners.get(partner) or Heard()


def fold(facts: Facts, messages: Iterable[Message]) -> Facts:
    """What was heard, with these messages too."""
    partners = dict(facts.partners)
    for message in messages:
        if message.source != TRIPS:
            source = Partner(message.source)
            partners[source] = _with(partners.get(source) or Heard(), message)
    return facts.model_copy(update={"partners": partners})


def _with(heard: Heard, message: Message) -> Heard:
    if isinstance(message, Tried):
        return _with_trouble(heard, message)
    kind = _KIND_OF.get(type(message))
    if kind is None or not isinstance(message.data, RowData):
        return heard
    known: State | None = getattr(heard, kind)
    said = _state(message, message.data)
    if known is not None and not _replaces(said, known):
        return heard
    return heard.model_copy(update={kind: said})


def _replaces(said: State, known: State) -> bool:
    """Whether the row has gone on; of one state that was told several times, the first telling counts."""
    return (said.seq, known.at, known.attempts) > (known.seq, said.at, said.attempts)


def _state(message: Message, data: RowData) -> State:
    said = data.model_dump(exclude={"slip", "again", "made", "attempt", "code", "message"})
    error = None
    if isinstance(message, Refused):
        error = StepError(code=message.data.code, message=message.data.message)
    return State(**said, at=message.time, attempts=data.attempt, error=error)


def _with_trouble(heard: Heard, message: Tried) -> Heard:
    one = message.data.attempt
    said = Trouble(
        attempts=one.attempt,
        at=one.at,
        error=StepError(code=message.data.code, message=one.error),
        given_up=one.next_at is None,
    )
    known = heard.trouble.get(one.verb, said)
    latest = max(known, said, key=Trouble.rank)
    joined = latest.model_copy(
        update={
            "attempts": max(known.attempts, said.attempts),
            "given_up": known.given_up or said.given_up,
        }
    )
    if joined == heard.trouble.get(one.verb):
        return heard
    return heard.model_copy(update={"trouble": heard.trouble | {one.verb: joined}})
