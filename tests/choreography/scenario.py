"""One trip's messages and words by the project's own functions, each called once for each distinct input.

A message is known by its key: who told it, and the standings of the row until then.
"""

import functools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from choreography import advance, decisions, facts, messages, protocol, view
from choreography.decisions import Row
from choreography.facts import Facts
from choreography.messages import (
    TRIPS,
    Bought,
    Captured,
    Data,
    Message,
    Requested,
    SettledData,
    Slip,
    Withdrawn,
)
from partners.participant import Noted, Refusal
from partners.store import Status
from tests.choreography.store_model import Path, Standing
from trip.attempts import AttemptOutcome, FailedAttempt
from trip.examples import example_order
from trip.fence import Ending, Mark
from trip.order import MAX_DEADLINE_S, TripOrder
from trip.partner import PAYMENT, POINTS, Partner, Verb
from trip.plan import part
from trip.trip import FINAL_STATUSES, Booking, Intervention, Links, TripStatus

START = datetime(2027, 3, 1, 12, tzinfo=UTC)
SOON = START + timedelta(seconds=1)
EXPLAINED = START + 2 * decisions.EXPLAINED
HOLD = timedelta(minutes=15)
LATE = START + 2 * HOLD
PAST = START + timedelta(days=2)
"""Past the deadline, which is longer than holds are."""
ATTENTION = timedelta(minutes=1)

Key = tuple[str, Path | str]
Keys = frozenset[Key]

NOTHING_ASKED, GAVE_UP = "nothing asked", "gave up"
REQUESTED: Key = (TRIPS, "requested")
BOUGHT: Key = (TRIPS, "bought")
PAID: Key = (TRIPS, "captured")
WITHDRAWN: Key = (TRIPS, "withdrawn")
_OF_TRIPS: dict[Key, type[Message]] = {
    REQUESTED: Requested,
    BOUGHT: Bought,
    PAID: Captured,
    WITHDRAWN: Withdrawn,
}
_KEY_OF = {kind: key for key, kind in _OF_TRIPS.items()}

REFUSAL = Refusal(code="sold_out", message="sold out")


class Why(StrEnum):
    """Why a trip is undone, as far as that says what is told."""

    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    AFTER_CAPTURE = "after the capture"


class Words(NamedTuple):
    """What the trip's row says. `resolved`: the step that an operator settled, and under which mark."""

    mark: Mark | None
    ending: TripStatus | None = None
    why: Why | None = None
    resolved: tuple[Partner, Mark] | None = None


class Verdict(NamedTuple):
    """What follows from facts: what the row decides, a capture with what it rests on, and final statuses."""

    decided: frozenset[tuple[Words, Keys]]
    final: frozenset[TripStatus]


class Scenario:
    """A trip of these stays. `price` is what each costs, and `redeem` how many points there are, if any."""

    def __init__(self, stays: tuple[str, ...], price: int = 100, redeem: int | None = None) -> None:
        sent: dict[str, Any] = example_order(START.date())
        asked = {name: sent[name] for name in ("traveller", *stays, "payment")}
        asked |= {"coordination": "choreography", "deadline_s": MAX_DEADLINE_S}
        if redeem is not None:
            asked["points"] = {"redeem": redeem}
        order = TripOrder.model_validate(asked)
        self.price = price
        self.booking = Booking(
            trip_id="trip",
            tenant="t",
            order=order,
            accepted_at=START,
            links=Links(self_="/", events="/", temporal_ui=None),
        )
        self.partners = tuple(order.partners())
        self.slip: Slip = decisions.slip_of(self.booking).model_copy(
            update={"parts": {partner: part(order, partner) for partner in order.partners()}}
        )
        self.seen: dict[tuple[Words, Keys], Verdict] = {}
        self.message: Callable[[Key], Message] = functools.cache(self._message)
        self.wish: Callable[[Partner, Key], protocol.Wish | None] = functools.cache(self._wish)
        self.due: Callable[[Partner, frozenset[Key]], protocol.Due | None] = functools.cache(self._due)
        self.is_asked: Callable[[Partner], bool] = functools.cache(self._is_asked)
        self.fold: Callable[[Keys], Facts] = functools.cache(self._fold)
        self.cancelled: Callable[[Words], Words | None] = functools.cache(self._cancelled)
        self.too_late: Callable[[Words], Words] = functools.cache(self._too_late)
        self.says: Callable[[Words, Keys], Key | None] = functools.cache(self._says)
        self.verdict: Callable[[Words, Keys], Verdict] = functools.cache(self._verdict)
        self.verdicts: Callable[[Words, Keys, Keys], Verdict] = functools.cache(self._verdicts)

    def place(self, partner: Partner) -> int:
        """The number of the partner's stage."""
        return self.slip.place(partner) or 0

    def row(self, partner: Partner, path: Path) -> Noted:
        """The partner's row after these standings."""
        last = path[-1]
        asked = None if path[0] is Standing.RELEASED else self._asked(partner)
        note = protocol.note(partner, asked, 1) if asked else protocol.Note(slip=self.slip.bare())
        return Noted(
            key=self.booking.trip_id,
            reference="r" if Standing.HELD in path else None,
            status=Status.RELEASED if last is Standing.REFUSED else Status(last),
            amount_minor=self._amount(partner) if Standing.HELD in path else None,
            currency="JPY",
            expires_at=START + HOLD,
            seq=len(path),
            note=note.model_dump_json(),
            refusal=REFUSAL if last is Standing.REFUSED else None,
        )

    def before(self, partner: Partner) -> frozenset[Key]:
        """The holds that the partner waits for."""
        return frozenset(map(self.held, self.slip.before(partner)))

    def held(self, partner: Partner) -> Key:
        """What the partner tells once it holds, or once nothing is left to ask of it."""
        return (partner.value, (Standing.HELD,) if self.is_asked(partner) else NOTHING_ASKED)

    def _asked(self, partner: Partner) -> protocol.Due:
        asked = self.due(partner, self.before(partner))
        assert asked is not None
        return asked

    def _due(self, partner: Partner, heard: frozenset[Key]) -> protocol.Due | None:
        told = {source: self.message((source, what)) for source, what in heard}
        slip = next((message.data.slip for message in told.values()), self.slip)
        words = {
            source: message.data.due_minor
            for source, message in told.items()
            if isinstance(message.data, messages.HeldData)
        }
        return protocol.due(partner, slip, words)

    def _is_asked(self, partner: Partner) -> bool:
        return protocol.body(partner, self._asked(partner)) is not None

    def _amount(self, partner: Partner) -> int:
        body = protocol.body(partner, self._asked(partner))
        assert body is not None
        if partner is POINTS:
            return -int(body["redeem"])
        return int(body["amount_minor"]) if partner is PAYMENT else self.price

    def _message(self, key: Key) -> Message:
        source, what = key
        if source == TRIPS:
            settled = SettledData(slip=self.slip.bare(), seq=0)
            return _OF_TRIPS[key].model_validate(
                {
                    "id": messages.message_id(TRIPS, self.booking.trip_id, str(what), 0),
                    "source": TRIPS,
                    "subject": self.booking.trip_id,
                    "time": START,
                    "data": (settled if key == PAID else Data(slip=self.slip)).model_dump(),
                }
            )
        partner = Partner(source)
        if what == NOTHING_ASKED:
            return protocol.nothing_asked(partner, self.booking.trip_id, self._asked(partner), START)
        if what == GAVE_UP:
            return gave_up(partner, self.slip)
        assert isinstance(what, tuple)
        return protocol.tells(partner, self.row(partner, what), START)

    def _wish(self, partner: Partner, key: Key) -> protocol.Wish | None:
        return protocol.wish(partner, self.message(key))

    def _row(self, words: Words, heard: Keys) -> Row:
        known = self.fold(heard)
        update: dict[str, Any] = {"decided_at": _decided_at(words)}
        if words.resolved is not None:
            update["interventions"] = [_resolved(*words.resolved)]
        ending = None if words.ending is None else Ending(status=words.ending)
        return Row(words.mark, ending, known.model_copy(update=update))

    def _fold(self, heard: Keys) -> Facts:
        if not heard:
            return Facts()
        last = max(heard, key=repr)
        return facts.fold(self.fold(heard - {last}), [self.message(last)])

    def _cancelled(self, words: Words) -> Words | None:
        """What the row says once it is cancelled. None if it is too late for that."""
        going = advance.cancelled(self._row(words, frozenset()), SOON)
        return None if going is None else _moved(words, going)

    def _too_late(self, words: Words) -> Words:
        """What the row says once its deadline is past."""
        means = advance.Means(open_at=(), can_tell=False)
        return _moved(
            words, advance.looked_at(self.booking, self._row(words, frozenset()), PAST, means, is_still=True)
        )

    def _says(self, words: Words, heard: Keys) -> Key | None:
        kind = decisions.says(self.booking, self._row(words, heard))
        return None if kind is None else _KEY_OF[kind]

    def _verdict(self, words: Words, heard: Keys) -> Verdict:
        row = self._row(words, heard)
        goings = (advance.decided(self.booking, row, now) for now in (SOON, EXPLAINED, LATE))
        decided = {
            (after, heard if after.mark is Mark.CAPTURES else frozenset[Key]())
            for going in goings
            if (after := _moved(words, going)) != words
        }
        status = view.view(self.booking, row, LATE, ATTENTION).status
        verdict = Verdict(frozenset(decided), frozenset({status} & FINAL_STATUSES))
        return self.seen.setdefault((words, heard), verdict)

    def _verdicts(self, words: Words, heard: Keys, maybe: Keys) -> Verdict:
        """What may follow if `heard` was heard, and any of `maybe`."""
        found = [self.verdicts(words, heard, maybe - {one}) for one in maybe]
        decided = {one for less in found for one in less.decided}
        known = {moved for moved, _ in decided}
        own = self.verdict(words, heard | maybe)
        decided |= {one for one in own.decided if one[0] not in known}
        return Verdict(frozenset(decided), own.final.union(*(less.final for less in found)))


def _moved(words: Words, going: advance.Going) -> Words:
    """What the row says as it goes on."""
    row = going.row
    if row.mark is words.mark:
        return words
    why = None
    if row.mark is Mark.UNDONE:
        why = Why.WITHDRAWN if going.tells else Why.REFUSED
        why = Why.AFTER_CAPTURE if words.mark is Mark.CAPTURES else why
    return Words(row.mark, row.ending.status if row.ending else None, why, words.resolved)


def _decided_at(words: Words) -> datetime | None:
    if words.mark in (None, Mark.BEGUN):
        return None
    return START + timedelta(minutes=3 if words.why is Why.AFTER_CAPTURE else 1)


def _resolved(partner: Partner, under: Mark) -> Intervention:
    at = START + timedelta(minutes=2 if under is Mark.CAPTURES else 4)
    return Intervention(step=partner, action="resolve", who="operator", at=at)


def gave_up(partner: Partner, slip: Slip) -> Message:
    """What is told of a hold whose message is a dead letter."""
    attempt = FailedAttempt(
        step=partner, verb=Verb.RESERVE, attempt=5, at=START, took_ms=1,
        outcome=AttemptOutcome.UNANSWERED, error="no answer", next_at=None,
    )  # fmt: skip
    return messages.Tried(
        id=f"{partner}/tried", source=partner.value, subject="trip", time=START,
        data=messages.TriedData(slip=slip.bare(), attempt=attempt),
    )  # fmt: skip
