"""No order, repeat or loss of messages half-books a choreographed trip, and each rule is needed for that.

`SEARCH=complete` adds the larger trips, which take minutes. `-s` shows how many states there are.
"""

import os
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import pytest

from choreography import advance, decisions, protocol
from choreography.decisions import Capture, Row, Undo
from choreography.facts import Facts
from choreography.messages import Bought, Lapsed, Message
from tests.choreography import model, store_model
from tests.choreography.model import CALM, Mishaps, Model, State
from tests.choreography.scenario import Scenario
from tests.choreography.search import HALF_BOOKED, LOST, NOT_FINAL, search
from tests.choreography.store_model import Call, Standing
from trip.fence import Mark
from trip.partner import Partner
from trip.trip import Booking

pytestmark = pytest.mark.search

ALL = Mishaps(resolves=True, outside=True, gives_up=True)
ONE, TWO, THREE = ("hotel",), ("hotel", "tour"), ("hotel", "tour", "flight")


class Trip(NamedTuple):
    """What a scenario is made of."""

    stays: tuple[str, ...]
    price: int = 100
    redeem: int | None = None


PLAIN, WITH_POINTS = Trip(ONE), Trip(TWO, redeem=20)
FREE = Trip(ONE, price=0, redeem=20)
"""Nothing is asked of points and payment."""
COVERED = Trip(ONE, redeem=1000)
"""The points cover the price: nothing is asked of the payment."""

QUICK = {
    "one stay, all mishaps": (PLAIN, ALL),
    "one free stay, all mishaps": (FREE, ALL),
    "one stay, nothing to pay, all mishaps": (COVERED, ALL),
    "two stays": (Trip(TWO), CALM),
    "two stays, nothing to pay": (Trip(TWO, redeem=1000), CALM),
    "two stays and points": (WITH_POINTS, CALM),
}
COMPLETE = {
    "two stays, all mishaps": (Trip(TWO), ALL),
    "one stay and points, all mishaps": (Trip(ONE, redeem=20), ALL),
    "two stays and points, all mishaps": (WITH_POINTS, ALL),
    "three stays": (Trip(THREE), CALM),
    "three stays and points": (Trip(THREE, redeem=20), CALM),
}
SEARCHED = QUICK | (COMPLETE if os.environ.get("SEARCH") == "complete" else {})


@pytest.mark.timeout(0 if SEARCHED is not QUICK else 120)
@pytest.mark.parametrize("name", SEARCHED)
def test_every_trip_ends_whole_or_undone(name: str) -> None:
    trip, mishaps = SEARCHED[name]
    scenario = Scenario(*trip)
    found = search(Model(scenario, mishaps))
    print(f"{name}: {found}")
    assert not found.wrong, str(found)
    assert set(found.ends) == {"confirmed", "failed", "cancelled"}
    for (words, heard), verdict in scenario.seen.items():
        for one in heard:
            less = scenario.seen.get((words, heard - {one}))
            if less is not None and less.final:
                assert (verdict.final, verdict.decided) == (less.final, frozenset())


Break = Callable[[pytest.MonkeyPatch], None]


def no_closed_marker(broken: pytest.MonkeyPatch) -> None:
    broken.setitem(store_model.CHANGES[Call.HOLD], Standing.RELEASED, Standing.HELD)


def refusal_not_sticky(broken: pytest.MonkeyPatch) -> None:
    broken.setitem(store_model.CHANGES[Call.HOLD], Standing.REFUSED, Standing.HELD)


def no_compare_and_set(broken: pytest.MonkeyPatch) -> None:
    broken.setitem(model.STALE, Mark.UNDONE, Mark.BEGUN)


def no_refund(broken: pytest.MonkeyPatch) -> None:
    real = decisions.decide

    def decide(booking: Booking, row: Row, now: datetime) -> Capture | Undo | None:
        return None if row.mark is Mark.CAPTURES else real(booking, row, now)

    broken.setattr(advance, "decide", decide)


def an_expired_hold_is_confirmed(broken: pytest.MonkeyPatch) -> None:
    broken.setitem(store_model.CHANGES[Call.CONFIRM], Standing.EXPIRED, Standing.CONFIRMED)


def released_on_the_wish_to_cancel(broken: pytest.MonkeyPatch) -> None:
    def withdraws(_: Model, state: State) -> bool:
        return state.words.mark is Mark.UNDONE or state.answer != 0

    broken.setattr(Model, "withdraws", withdraws)


def released_on_a_lapse(broken: pytest.MonkeyPatch) -> None:
    asks = dict(protocol._ASKS) | {Lapsed: (protocol.Wish.RELEASE, lambda _: True)}
    broken.setattr(protocol, "_ASKS", asks)


def captured_on_the_last_hold(broken: pytest.MonkeyPatch) -> None:
    def decide(booking: Booking, facts: Facts, now: datetime) -> Capture | None:
        held = facts.of(booking.order.partners()[-1]).held
        return Capture(held.amount_minor) if held else None

    broken.setattr(decisions, "_decide_on_holds", decide)


def nobody_says_what_was_settled(broken: pytest.MonkeyPatch) -> None:
    real = decisions.says

    def says(booking: Booking, row: Row) -> type[Message] | None:
        return Bought if row.mark is Mark.CAPTURES else real(booking, row)

    broken.setattr(decisions, "says", says)


def settled_is_settled(broken: pytest.MonkeyPatch) -> None:
    real = decisions.is_resolved

    def is_resolved(partner: Partner, facts: Facts) -> bool:
        return real(partner, facts.model_copy(update={"decided_at": None}))

    broken.setattr(decisions, "is_resolved", is_resolved)


@pytest.mark.parametrize(
    ("bug", "trip", "mishaps", "end"),
    [
        (no_closed_marker, PLAIN, CALM, "failed, and hotel is held"),
        (refusal_not_sticky, Trip(TWO), CALM, HALF_BOOKED),
        (no_compare_and_set, PLAIN, CALM, "a cancel was accepted, and the trip is bought"),
        (no_refund, PLAIN, CALM, HALF_BOOKED),
        (an_expired_hold_is_confirmed, PLAIN, CALM, "failed, and payment is confirmed"),
        (released_on_the_wish_to_cancel, PLAIN, CALM, "captured, no hold has expired, and undone"),
        (released_on_a_lapse, PLAIN, ALL, "confirmed, and payment is released"),
        (captured_on_the_last_hold, FREE, CALM, LOST),
        (nobody_says_what_was_settled, PLAIN, ALL, NOT_FINAL),
        (settled_is_settled, PLAIN, ALL, "failed, and payment is held"),
    ],
)
def test_each_rule_is_needed(
    bug: Break, trip: Trip, mishaps: Mishaps, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bug(monkeypatch)
    found = search(Model(Scenario(*trip), mishaps), with_loss=end == LOST)
    print(found)
    assert found.wrong == end, str(found)
