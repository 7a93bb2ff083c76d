"""Every state that a choreographed trip can reach, by the project's own functions.

A message that was never told is like one that never arrives. So a partner may be given whatever its rows ever
told, and the row of the trip may know any of it: every order, any number of repeats, a crash between commit
and publish, and the loss of the broker's whole log are all in it.

A trip has to come to an end by what surely arrives: what each row tells as it stands, and what the trip's row
says. It also has to if all of that was lost, and only the trip's row is told again.
"""

import functools
from collections.abc import Iterator
from typing import NamedTuple

from choreography.protocol import Wish
from tests.choreography import store_model
from tests.choreography.scenario import (
    GAVE_UP,
    REQUESTED,
    WITHDRAWN,
    Key,
    Keys,
    Scenario,
    Why,
    Words,
)
from tests.choreography.store_model import Call, Path, Standing
from trip.fence import Mark
from trip.partner import Partner
from trip.trip import TripStatus

DECIDED = (Mark.CAPTURES, Mark.UNDONE)

STALE: dict[Mark, Mark] = {}
"""Under which mark a row decides, besides its own. None: compare-and-set decides under its own alone."""


class State(NamedTuple):
    """All that is kept: the trip's row, what was answered to a cancel, and each partner's row and join.

    `known`: what the capture was decided on. `final`: what the trip's row shows for good. `outside`: a hold
    was released by nobody of the saga.
    """

    words: Words
    answer: int
    rows: tuple[Path, ...]
    joins: tuple[Keys, ...]
    known: Keys
    final: TripStatus | None
    outside: bool
    given_up: Partner | None


class Step(NamedTuple):
    """What happens next. `surely`: it happens at some time."""

    what: tuple[object, ...]
    state: State
    surely: bool


class Mishaps(NamedTuple):
    """What may happen besides expiry, cancel and deadline."""

    resolves: bool = False
    outside: bool = False
    gives_up: bool = False


CALM = Mishaps()


def standing(path: Path) -> Standing:
    """Where the row stands."""
    return path[-1] if path else Standing.ABSENT


@functools.cache
def in_order(keys: Keys) -> list[Key]:
    """The keys in the same order in every process, so that every search finds the same."""
    return sorted(keys, key=repr)


class Model:
    """The steps of a scenario."""

    def __init__(self, scenario: Scenario, mishaps: Mishaps = CALM) -> None:
        self.scenario = scenario
        self.mishaps = mishaps
        self.partners = scenario.partners
        self.asked = tuple(map(scenario.is_asked, self.partners))
        self._told: dict[object, tuple[Keys, Keys]] = {}

    def start(self) -> State:
        """An accepted trip of which nothing was told."""
        none = tuple(frozenset[Key]() for _ in self.partners)
        rows: tuple[Path, ...] = tuple(() for _ in self.partners)
        return State(Words(None), 0, rows, none, frozenset(), None, False, None)

    def steps(self, state: State) -> Iterator[Step]:
        """All that may happen next; what changes nothing is among it."""
        told, current = self.told(state)
        yield from self._front_door(state)
        if state.words.mark is not None and state.final is None:
            yield from self._trips(state, told, current)
        if state.words.mark not in (None, Mark.BARRED):
            yield from self._heard(state, told, current)
            yield from self._mishaps(state)

    def told(self, state: State) -> tuple[Keys, Keys]:
        """What the partners ever told, and what they tell as they stand."""
        known = (state.rows, state.joins, state.given_up)
        if (found := self._told.get(known)) is None:
            found = self._told[known] = self._tell(state)
        return found

    def _tell(self, state: State) -> tuple[Keys, Keys]:
        told, current = set[Key](), set[Key]()
        for partner, path, join, asked in zip(
            self.partners, state.rows, state.joins, self.asked, strict=True
        ):
            told |= {(partner.value, path[: n + 1]) for n in range(len(path))}
            if path:
                current.add((partner.value, path))
            if not asked and join == self.scenario.before(partner):
                current.add(self.scenario.held(partner))
        if state.given_up:
            current.add((state.given_up.value, GAVE_UP))
        return frozenset(told | current), frozenset(current)

    def _front_door(self, state: State) -> Iterator[Step]:
        """The beginning, the deadline and a cancel: each is one statement on the trip's row."""
        words = state.words
        if words.mark is None:
            yield Step(("begins",), state._replace(words=Words(Mark.BEGUN)), True)
        if words.mark in (None, Mark.BEGUN):
            yield Step(("deadline",), state._replace(words=self.scenario.too_late(words)), False)
        if not state.answer and state.final is None:
            cancelled = self.scenario.cancelled(words)
            answered = state._replace(words=cancelled or words, answer=202 if cancelled else 409)
            yield Step(("cancel",), answered, False)

    def _trips(self, state: State, told: Keys, current: Keys) -> Iterator[Step]:
        """The row decides on what was heard, and shows how the trip ended."""
        words = state.words
        surely = self.scenario.verdict(words, state.known | current)
        may = self.scenario.verdicts(words, state.known, told - state.known)
        for status in may.final:
            yield Step(("trip is", status), state._replace(final=status), status in surely.final)
        if words.mark in STALE:
            stale = words._replace(mark=STALE[words.mark])
            may = self.scenario.verdicts(stale, state.known, told - state.known)
        for moved, needs in sorted(may.decided, key=repr):
            decided = state._replace(words=moved, known=needs or state.known)
            sure = any(moved == one for one, _ in surely.decided)
            yield Step(("row decides", moved.mark, moved.why or ""), decided, sure)

    def _heard(self, state: State, told: Keys, current: Keys) -> Iterator[Step]:
        said, sure = self._said(state, told)
        for place in range(len(self.partners)):
            for key in in_order(told | said):
                for after in self.deliver(state, place, key):
                    yield Step((key, "to", self.partners[place]), after, key in current or key in sure)

    def _said(self, state: State, told: Keys) -> tuple[Keys, Keys]:
        """What the row ever said, and what it surely tells."""
        words = state.words
        said = {REQUESTED}
        if words.mark is Mark.CAPTURES or words.why is Why.AFTER_CAPTURE:
            captures = Words(Mark.CAPTURES, resolved=words.resolved)
            for heard in (state.known, told):
                said |= {key for key in (self.scenario.says(captures, heard),) if key}
        if self.withdraws(state):
            said.add(WITHDRAWN)
        # A refusal is heard by all who may hold something, so that nothing else need be told.
        sure = None if words.why is Why.REFUSED else self.scenario.says(words, state.known)
        return frozenset(said), frozenset({sure} if sure else ())

    def withdraws(self, state: State) -> bool:
        """Whether all were told to release."""
        return state.words.mark is Mark.UNDONE

    def deliver(self, state: State, place: int, key: Key) -> Iterator[State]:
        """The states that the partner at `place` may leave once it has heard the message."""
        partner, path = self.partners[place], state.rows[place]
        wish = self.scenario.wish(partner, key)
        if wish is Wish.HOLD:
            yield from self._hold(state, place, key)
        elif wish is not None:
            call = Call.CONFIRM if wish is Wish.CONFIRM else Call.RELEASE
            if (after := store_model.after(standing(path), call)) is not standing(path):
                yield self._with_row(state, place, after)

    def _hold(self, state: State, place: int, key: Key) -> Iterator[State]:
        partner, join = self.partners[place], state.joins[place]
        before = self.scenario.before(partner)
        if key in before and key not in join:
            join = join | {key}
            if self._needs_join(state, place):
                state = state._replace(joins=(*state.joins[:place], join, *state.joins[place + 1 :]))
                yield state
        if self.scenario.due(partner, join) is None or not self.asked[place]:
            return
        stands = standing(state.rows[place])
        if store_model.after(stands, Call.HOLD) is not stands:
            yield self._with_row(state, place, store_model.after(stands, Call.HOLD))
            if store_model.after(stands, Call.REFUSE) is not stands:
                yield self._with_row(state, place, store_model.after(stands, Call.REFUSE))

    def _needs_join(self, state: State, place: int) -> bool:
        """Whether the join may still change anything. If not, it is not kept: there are fewer states then."""
        return not state.rows[place] or not self.asked[place]

    def _with_row(self, state: State, place: int, after: Standing) -> State:
        rows = (*state.rows[:place], (*state.rows[place], after), *state.rows[place + 1 :])
        state = state._replace(rows=rows)
        if not self._needs_join(state, place) and state.joins[place]:
            joins = (*state.joins[:place], frozenset[Key](), *state.joins[place + 1 :])
            state = state._replace(joins=joins)
        return state

    def _mishaps(self, state: State) -> Iterator[Step]:
        words = state.words
        for place, partner in enumerate(self.partners):
            if standing(state.rows[place]) is Standing.HELD:
                expired = self._with_row(state, place, store_model.after(Standing.HELD, Call.EXPIRE))
                yield Step(("expires", partner), expired, False)
                if self.mishaps.outside and not state.outside:
                    released = self._with_row(state, place, store_model.after(Standing.HELD, Call.RELEASE))
                    yield Step(("released from outside", partner), released._replace(outside=True), False)
            if state.final is not None:
                continue
            if self.mishaps.gives_up and state.given_up is None:
                yield Step(("gives up", partner), state._replace(given_up=partner), False)
            if (
                self.mishaps.resolves
                and words.resolved is None
                and words.mark in (Mark.CAPTURES, Mark.UNDONE)
            ):
                resolved = words._replace(resolved=(partner, words.mark))
                yield Step(("resolves", partner), state._replace(words=resolved), False)
