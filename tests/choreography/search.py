"""Searches every state of a model, and says what is wrong with one."""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from choreography.protocol import Wish
from tests.choreography.model import Model, State, standing
from tests.choreography.scenario import Key, Why
from tests.choreography.store_model import Standing
from trip.fence import Mark
from trip.trip import TripStatus

TAKEN = (Standing.HELD, Standing.CONFIRMED)

NOT_FINAL, HALF_BOOKED = "not final", "half-booked"
LOST = "not final once all that was told is lost"

Came = dict[State, tuple[State | None, tuple[object, ...]]]


@dataclass
class Found:
    """How trips end. If a state is `wrong`, the search ended there, and `path` is the shortest to it."""

    states: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    wrong: str | None = None
    path: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join([f"{self.states} states, ends {dict(self.ends)}, {self.wrong}", *self.path])


def search(model: Model, *, with_loss: bool = True) -> Found:
    """Every state, the nearest first, until something is wrong with one.

    `with_loss`: whether a trip has to come to its end, too, if all is lost that was told until then.
    """
    found, first = Found(), model.start()
    came: Came = {first: (None, ())}
    todo = deque([first])
    while todo and not found.wrong:
        state = todo.popleft()
        goes_on = False
        for what, after, surely in model.steps(state):
            if after != state:
                goes_on = goes_on or surely
                if after not in came:
                    came[after] = (state, what)
                    todo.append(after)
        found.wrong = wrong(model, state)
        if not goes_on:
            found.wrong = found.wrong or wrong_end(model, state)
            found.ends[str(state.final)] += 1
        if with_loss and not found.wrong and _stands_still_after_loss(model, state):
            found.wrong = LOST
        if found.wrong:
            found.path = _path(came, state)
    found.states = len(came)
    return found


def wrong(model: Model, state: State) -> str | None:
    """What may not be true of any state."""
    words, may_confirm = state.words, state.words.mark is Mark.CAPTURES
    if state.answer == 202 and (may_confirm or state.final is TripStatus.CONFIRMED):
        return "a cancel was accepted, and the trip is bought"
    if words.why is Why.AFTER_CAPTURE and not _is_lapsed(state):
        return "captured, no hold has expired, and undone"
    for partner, stands in _asked(model, state):
        if state.final is TripStatus.CONFIRMED and stands is not Standing.CONFIRMED:
            return f"confirmed, and {partner} is {stands}"
        if state.final not in (None, TripStatus.CONFIRMED) and stands in TAKEN:
            return f"{state.final}, and {partner} is {stands}"
        if stands is Standing.CONFIRMED and not may_confirm and words.why is not Why.AFTER_CAPTURE:
            return f"not captured, and {partner} is confirmed"
    return None


def wrong_end(model: Model, state: State) -> str | None:
    """What is wrong with a trip that nothing moves on any more, cancel and deadline apart."""
    if state.final is not None:
        return None
    taken = {stands in TAKEN for _, stands in _asked(model, state)}
    return HALF_BOOKED if len(taken) > 1 else NOT_FINAL


def _asked(model: Model, state: State) -> Iterator[tuple[str, Standing]]:
    """Where the partners stand of whom something is asked, but for one that an operator settled.

    What was settled as confirmed is not settled as released.
    """
    for partner, path, asked in zip(model.partners, state.rows, model.asked, strict=True):
        if asked and (partner, state.words.mark) != state.words.resolved:
            yield partner.value, standing(path)


def _is_lapsed(state: State) -> bool:
    return state.outside or any(Standing.EXPIRED in path for path in state.rows)


def _stands_still_after_loss(model: Model, state: State) -> bool:
    """Whether nothing moves on if all that was told is lost, and only the trip's row is told again.

    Of all that it heard, the row is sure of no more than it decided on.
    """
    words, scenario = state.words, model.scenario
    if state.final is not None or words.mark in (None, Mark.BARRED):
        return False
    heard, said = set(state.known), set[Key]()
    while (word := scenario.says(words, frozenset(heard))) and word not in said:
        said.add(word)
        wave = [word]
        while wave:
            key = wave.pop()
            for place in range(len(model.partners)):
                if any(model.deliver(state, place, key)):
                    return False
                answers = set(_tells_again(model, state, place, key)) - heard
                heard |= answers
                wave += answers
    verdict = scenario.verdict(words, frozenset(heard))
    return not verdict.decided and not verdict.final


def _tells_again(model: Model, state: State, place: int, key: Key) -> Iterator[Key]:
    """What a partner tells that has dealt with the message before."""
    partner, path = model.partners[place], state.rows[place]
    wish = model.scenario.wish(partner, key)
    if wish is not None and path:
        yield partner.value, path
    elif wish is Wish.HOLD and not model.asked[place]:
        yield model.scenario.held(partner)


def _path(came: Came, state: State) -> list[str]:
    steps = list[str]()
    last: State | None = state
    while last is not None:
        before, what = came[last]
        rows = " ".join(standing(path) for path in last.rows)
        steps.append(f"{' '.join(map(_shown, what)):60} {last.words.mark!s:9} {rows}  {last.final or ''}")
        last = before
    return steps[::-1]


def _shown(word: object) -> str:
    if isinstance(word, tuple) and len(word) == 2:
        source, what = word
        return f"{source}.{what if isinstance(what, str) else what[-1]}"
    return str(word)
