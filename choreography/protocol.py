"""The protocol of a partner: what a message asks of it, and what its row tells. Pure."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel

from choreography.messages import (
    TRIPS,
    Bought,
    Captured,
    Confirmed,
    Data,
    Held,
    HeldData,
    Lapsed,
    Message,
    Refused,
    RefusedData,
    Released,
    Requested,
    RowData,
    SettledData,
    Slip,
    Withdrawn,
    message_id,
)
from partners.participant import Noted
from partners.store import Status
from trip.partner import Partner
from trip.plan import priced


class Wish(StrEnum):
    """What a message asks of a partner. The store knows what that does to each row."""

    HOLD = "hold"
    CONFIRM = "confirm"
    RELEASE = "release"


class Places(NamedTuple):
    """The numbers of the stages of who hears a message, of its source, and of the last one."""

    mine: int
    source: int
    last: int


_ASKS: dict[type[Message], tuple[Wish, Callable[[Places], bool]]] = {
    Requested: (Wish.HOLD, lambda at: at.mine == 0),
    Held: (Wish.HOLD, lambda at: at.mine == at.source + 1),
    Bought: (Wish.CONFIRM, lambda at: at.mine == at.last),
    Captured: (Wish.CONFIRM, lambda at: at.mine < at.last),
    Refused: (Wish.RELEASE, lambda at: at.mine <= at.source),
    Withdrawn: (Wish.RELEASE, lambda _: True),
}
"""What a message asks, and of whom: of partners of the order, but not of its own source.

A refusal proves that no capture is decided, so that partners need no other word to release. A lapse proves
nothing: an operator may have settled that step. So the trip's row decides on it, and withdraws.
"""


def wish(me: Partner, message: Message) -> Wish | None:
    """What the message asks of me. None if it does not concern me."""
    slip = message.data.slip
    mine = slip.place(me)
    if mine is None or message.source == me.value or type(message) not in _ASKS:
        return None
    asked, concerns = _ASKS[type(message)]
    source = -1 if message.source == TRIPS else slip.place(Partner(message.source))
    if source is None:
        return None
    return asked if concerns(Places(mine, source, len(slip.stages) - 1)) else None


def heard_by(message: Message) -> list[str]:
    """Whom the message concerns: partners of whom it asks something, and TRIPS if a partner tells it."""
    partners = [partner.value for partner in Partner if wish(partner, message)]
    return partners if message.source == TRIPS else [*partners, TRIPS]


class Due(BaseModel):
    """What a partner has to hold for: the slip, and what was due before it, in minor units."""

    slip: Slip
    due_minor: int


def due(me: Partner, slip: Slip, heard: Mapping[str, int]) -> Due | None:
    """The join: what is due once the whole stage before has told it, by source. None until then."""
    before = slip.before(me)
    if any(partner not in heard for partner in before):
        return None
    return Due(slip=slip, due_minor=sum(heard[partner] for partner in before))


def body(me: Partner, due: Due) -> dict[str, Any] | None:
    """What I hold. None if nothing is left to ask of me."""
    return priced(me, due.slip.parts[me], due.due_minor)


class Note(BaseModel):
    """What a row has to know to tell of itself: what it was asked, and after how many attempts."""

    slip: Slip
    due_minor: int = 0
    attempts: int = 0


def note(me: Partner, asked: Due, attempts: int) -> Note:
    """The note of a row that is held."""
    return Note(slip=asked.slip.after(me), due_minor=asked.due_minor, attempts=attempts)


def tells(me: Partner, row: Noted, at: datetime, attempt: int = 1, again: int = 0) -> Message:
    """What the row tells as it stands."""
    kept = Note.model_validate_json(row.note)
    kind, data = _said(me, row, kept, attempt, again)
    identity = message_id(me.value, row.key, row.seq, again)
    return kind.model_validate(
        {"id": identity, "source": me.value, "subject": row.key, "time": at, "data": data.model_dump()}
    )


def _said(me: Partner, row: Noted, kept: Note, attempt: int, again: int) -> tuple[type[Message], Data]:
    last = kept.slip.stages[-1]
    amount = row.amount_minor or 0
    common: dict[str, Any] = {"again": again, "seq": row.seq, "attempt": attempt}
    bare = common | {"slip": kept.slip.bare()}
    if row.refusal is not None:
        return Refused, RefusedData(
            **bare | {"attempt": max(kept.attempts, 1)}, code=row.refusal.code, message=row.refusal.message
        )
    if row.status is Status.HELD:
        return Held, HeldData(
            **common | {"slip": kept.slip, "attempt": max(kept.attempts, 1)},
            reference=row.reference,
            amount_minor=amount,
            currency=row.currency,
            expires_at=row.expires_at,
            due_minor=kept.due_minor + amount,
        )
    if row.status is Status.CONFIRMED:
        told = Captured if me in last else Confirmed
        return told, SettledData(**bare, reference=row.reference, amount_minor=amount)
    return (Lapsed if row.status is Status.EXPIRED else Released), RowData(**bare)


def nothing_asked(me: Partner, trip_id: str, asked: Due, at: datetime, again: int = 0) -> Held:
    """What I tell if nothing is left to ask of me: held, with no row and no reference."""
    return Held(
        id=message_id(me.value, trip_id, 0, again),
        source=me.value,
        subject=trip_id,
        time=at,
        data=HeldData(
            slip=asked.slip.after(me),
            again=again,
            seq=0,
            reference=None,
            amount_minor=0,
            currency=None,
            due_minor=asked.due_minor,
        ),
    )
