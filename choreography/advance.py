"""How a trip's row goes on: by what is heard, by the time, by its traveller and by operators. Pure."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from choreography.decisions import Capture, Row, Undo, decide, says, unsettled
from choreography.facts import Facts, fold
from choreography.messages import Message, Requested, Withdrawn
from choreography.view import stuck
from guard.guard import Reason
from trip.fence import Ending, Mark, deadline_exceeded, failed
from trip.partner import PARTNER_UNAVAILABLE, Partner
from trip.trip import Booking, Failure, Intervention, OperatorOrder, TripStatus

CANCELLED = Ending(status=TripStatus.CANCELLED)


class Going(NamedTuple):
    """The row as it is to be, and what `trips` then tells. `kept_out`: the breaker that is in its way."""

    row: Row
    tells: type[Message] | None = None
    kept_out: Partner | None = None


class Means(NamedTuple):
    """What a trip meets: the partners whose breakers are open, and whether anything can be told just now."""

    open_at: Collection[Partner]
    can_tell: bool


def deadline(booking: Booking) -> datetime:
    """By when the capture has to be decided."""
    return booking.accepted_at + timedelta(seconds=booking.order.deadline_s)


def kept_out(partner: Partner) -> Ending:
    """The ending of a trip that may not wait for the partner's open breaker."""
    return failed(Failure(step=partner, code=PARTNER_UNAVAILABLE, message=Reason.BREAKER_OPEN.value))


def heard(facts: Facts, messages: Sequence[Message]) -> tuple[Facts, list[Message]]:
    """What was heard with these messages too, and those of them that said something new."""
    new = []
    for message in messages:
        known, facts = facts.partners, fold(facts, [message])
        if any(said is not known.get(partner) for partner, said in facts.partners.items()):
            new.append(message)
    return facts, new


def decided(booking: Booking, row: Row, now: datetime) -> Going:
    """The row with the decision that is due, if one is."""
    decision = decide(booking, row, now)
    if isinstance(decision, Undo):
        going = undone(row, decision.ending, now)
        # The partners of a trip hear the refusal itself.
        return going._replace(tells=None) if _is_refused(row.facts) else going
    if row.mark is Mark.BEGUN and now >= deadline(booking):
        return undone(row, failed(deadline_exceeded(_first_open(booking, row.facts))), now)
    if isinstance(decision, Capture):
        captures = row._replace(mark=Mark.CAPTURES, facts=_decided_at(row.facts, now))
        return Going(captures, says(booking, captures))
    return Going(row)


def started(booking: Booking, row: Row, now: datetime, means: Means) -> Going:
    """The row of a trip that is to start. If it has started, the same is told as then."""
    if row.mark is None:
        return _before_it_begins(booking, row, now, means)
    return Going(row, Requested) if row.mark is Mark.BEGUN else Going(row)


def looked_at(booking: Booking, row: Row, now: datetime, means: Means, is_still: bool) -> Going:
    """The row of a trip that is due. If it stands still, what it has decided is told again."""
    if row.mark is None:
        return _before_it_begins(booking, row, now, means)
    going = decided(booking, row, now)
    if going.row is not row:
        return going
    sick = _waits_for(booking, row, means.open_at)
    if sick is not None and booking.order.when_partner_down == "fail":
        return undone(row, kept_out(sick), now)._replace(kept_out=sick)
    return told_again(booking, row) if is_still and means.can_tell else going


def told_again(booking: Booking, row: Row) -> Going:
    """The row as it is. What it has decided is told again, under an id of its own."""
    facts = row.facts.model_copy(update={"again": row.facts.again + 1})
    return Going(row._replace(facts=facts), says(booking, row))


def barred(row: Row, ending: Ending) -> Going:
    """The row of a trip that has asked nothing of anybody, and never will."""
    return Going(row._replace(mark=Mark.BARRED, ending=ending))


def undone(row: Row, ending: Ending, now: datetime) -> Going:
    """The row of a trip that is undone from `now` on."""
    facts = _decided_at(row.facts, now)
    return Going(row._replace(mark=Mark.UNDONE, ending=ending, facts=facts), Withdrawn)


def cancelled(row: Row, now: datetime) -> Going | None:
    """The row as its traveller wants it. None if the capture is decided."""
    if row.mark is Mark.CAPTURES:
        return None
    if row.mark is None:
        return barred(row, CANCELLED)
    return undone(row, CANCELLED, now) if row.mark is Mark.BEGUN else Going(row)


def operated(
    booking: Booking, row: Row, order: OperatorOrder, now: datetime, attention: timedelta
) -> Going | None:
    """The row as an operator wants it. None if the step does not need attention."""
    if order.step not in stuck(booking, row, now, attention):
        return None
    done = Intervention(step=order.step, action=order.action, who=order.who, note=order.note, at=now)
    facts = row.facts.model_copy(update={"interventions": [*row.facts.interventions, done]})
    if order.action == "retry":
        facts = _with_hope(facts, order.step)
    going = told_again(booking, row._replace(facts=facts))
    return going if unsettled(booking, going.row) else going._replace(tells=None)


def _before_it_begins(booking: Booking, row: Row, now: datetime, means: Means) -> Going:
    steps = booking.order.partners()
    if now >= deadline(booking):
        return barred(row, failed(deadline_exceeded(steps[0])))
    sick = next((partner for partner in steps if partner in means.open_at), None)
    if sick is not None and booking.order.when_partner_down == "fail":
        return barred(row, kept_out(sick))._replace(kept_out=sick)
    if sick is not None or not means.can_tell:
        return Going(row, kept_out=sick)
    return Going(row._replace(mark=Mark.BEGUN), Requested)


def _waits_for(booking: Booking, row: Row, open_at: Collection[Partner]) -> Partner | None:
    """A partner whose breaker is open, and which has not told what came of its hold."""
    if row.mark is not Mark.BEGUN:
        return None
    steps = booking.order.partners()
    return next((one for one in steps if one in open_at and row.facts.of(one).latest() is None), None)


def _first_open(booking: Booking, facts: Facts) -> Partner:
    steps = booking.order.partners()
    return next((partner for partner in steps if facts.of(partner).held is None), steps[-1])


def _is_refused(facts: Facts) -> bool:
    return any(heard.refused is not None for heard in facts.partners.values())


def _decided_at(facts: Facts, now: datetime) -> Facts:
    return facts.model_copy(update={"decided_at": now})


def _with_hope(facts: Facts, step: Partner) -> Facts:
    """The facts as if no attempt at the step had been the last."""
    heard = facts.of(step)
    trouble = {verb: one.model_copy(update={"given_up": False}) for verb, one in heard.trouble.items()}
    return facts.model_copy(
        update={"partners": facts.partners | {step: heard.model_copy(update={"trouble": trouble})}}
    )
