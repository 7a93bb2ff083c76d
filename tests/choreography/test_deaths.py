"""A partner's process dies amid its messages: its engine keeps to the table, and each last word is told."""

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from choreography.messages import (
    Captured,
    Confirmed,
    Held,
    Lapsed,
    Message,
    Refused,
    Released,
    RowData,
)
from choreography.protocol import Wish
from choreography.relay import look
from choreography.telling import Teller
from partners.participant import Noted, Participant
from partners.store import Status
from tests.choreography.lives import Deliveries, Mortal, Point, lived
from tests.choreography.partner import DUE, Engines, Noting, Talk, service_of
from tests.choreography.store_model import Call, Path, Standing, after, paths
from tests.partners.cases import CASES, Body, Case
from tests.partners.client import new_key, until
from tests.partners.rows import MANY, stood
from tests.partners_engines.engines import opened
from trip.partner import PAYMENT, POINTS, Partner, declared

pytestmark = pytest.mark.server

HOLD_S = 900
BRIEF_S = 0.2

TRIPS = 40
DEATHS = [*Point] * 2
LATEST_DEATH = 10

STANDING: dict[type[Message], Standing] = {
    Held: Standing.HELD,
    Refused: Standing.REFUSED,
    Lapsed: Standing.EXPIRED,
    Confirmed: Standing.CONFIRMED,
    Captured: Standing.CONFIRMED,
    Released: Standing.RELEASED,
}
CALL = {Wish.CONFIRM: Call.CONFIRM, Wish.RELEASE: Call.RELEASE}


def standing_of(row: Noted) -> Standing:
    """Where the row stands, in the table's words."""
    return Standing.REFUSED if row.refusal else Standing(row.status)


class Trip(NamedTuple):
    """What a partner is told of one trip. All of `asks` together ask for the hold, which may go so."""

    talk: Talk
    asks: tuple[Message, ...]
    others: tuple[tuple[Wish, Message], ...]
    outcomes: tuple[Call, ...]

    @property
    def messages(self) -> list[Message]:
        return [*self.asks, *(message for _, message in self.others)]


def scarce(me: Partner) -> Body | None:
    """A body of which few fit, all at odds with one another."""
    bodies: dict[str, Body] = {
        "hotel": {"hotel_id": "KYO-RYOKAN", "rooms": 20, "check_in": "2099-01-01", "check_out": "2099-01-03"},
        "tour": {"tour_id": "FUJI-HIKE", "seats": 20, "date": "2099-01-01"},
        "flight": {"flight_no": "NH847", "seats": 20, "date": "2099-01-01"},
        "points": {"member_id": "M-1003", "redeem": 700},
    }
    return bodies.get(me.value)


def drawn(draw: random.Random, case: Case) -> Trip:
    me = Partner(case.name)
    few = scarce(me) or case.good()
    kinds = [
        (case.good(), (Call.HOLD,)),
        (few, (Call.HOLD, Call.REFUSE)),
        (case.refused()[0], (Call.REFUSE,)),
    ]
    body, outcomes = draw.choices(kinds, weights=(4, 5, 1))[0]
    talk = Talk(me, body, new_key())
    asks: tuple[Message, ...] = (talk.asks(),)
    if me is POINTS:
        sources = (Partner("tour"), Partner("flight"))
        talk.stages = (sources, (POINTS,), (PAYMENT,))
        asks = tuple(talk.held_by(source, DUE) for source in sources)
    wishes = draw.choice(((), (Wish.CONFIRM,), (Wish.RELEASE,), (Wish.CONFIRM, Wish.RELEASE)))
    return Trip(talk, asks, tuple((wish, talk.says(wish)) for wish in wishes), outcomes)


def ends(trip: Trip) -> set[Standing]:
    """How the row may stand when each message was heard, once or more, in any order, amid expiries."""
    numbers = range(len(trip.messages))
    known = {(Standing.ABSENT, frozenset[int]())}
    ahead = list(known)
    while ahead:
        standing, heard = ahead.pop()
        reached = {(after(standing, Call.EXPIRE), heard)}
        for number in numbers:
            then = heard | {number}
            reached |= {(after(standing, call), then) for call in _calls(trip, number, then)} or {
                (standing, then)
            }
        ahead += reached - known
        known |= reached
    return {standing for standing, heard in known if len(heard) == len(numbers)}


def _calls(trip: Trip, number: int, heard: Iterable[int]) -> Sequence[Call]:
    asking = len(trip.asks)
    if number >= asking:
        return [CALL[trip.others[number - asking][0]]]
    return trip.outcomes if set(range(asking)) <= set(heard) else ()


def went(row: Noted, said: Sequence[Message]) -> Path | None:
    """The row's way, of which its last state has to be told, and others may be. None if it is no way."""
    told: dict[int, Standing] = {}
    for message in said:
        assert isinstance(message.data, RowData)
        assert told.setdefault(message.data.seq, STANDING[type(message)]) is STANDING[type(message)]
    if told.get(row.seq) is not standing_of(row) or max(told) > row.seq:
        return None
    fits = (
        path
        for path in paths()
        if len(path) == row.seq and all(path[seq - 1] is one for seq, one in told.items())
    )
    return next(fits, None)


async def told_at_last(me: Partner, store: Participant[Any], trips: Sequence[Trip]) -> list[Message]:
    """What is told once nobody dies any more, until no row of the trips is untold or about to expire."""
    keys, broker = {trip.talk.trip_id for trip in trips}, Noting()
    teller, seen = Teller(broker, store), frozenset[tuple[str, int]]()

    async def all_is_told() -> bool:
        nonlocal seen
        await store.expire_due()
        seen = await look(me, store, teller, seen)
        soon = datetime.now(UTC) + timedelta(seconds=HOLD_S / 2)
        rows = [await stood(store, key) for key in keys]
        is_brief = any(row.status is Status.HELD and row.expires_at < soon for row in rows if row.expires_at)
        return not is_brief and not keys & {key for key, _ in seen}

    await until(all_is_told)
    return broker.heard


async def taken(me: Partner, store: Participant[Any]) -> tuple[int, int]:
    """How much the store holds, and how much of it is confirmed, by the engine's own sums."""
    stock: Any = store
    if me is PAYMENT:
        balances = {one.account: one.balance_minor for one in (await stock.ledger()).accounts}
        return balances["authorised"], balances["captured"]
    if me is POINTS:
        members = await stock.members(MANY, None)
        return sum(one.held for one in members), -sum(one.balance for one in members)
    rows = await stock.inventory(MANY, None)
    assert all(one.total == one.free + one.held + one.confirmed for one in rows)
    return sum(one.held for one in rows), sum(one.confirmed for one in rows)


def units(me: Partner, body: Body) -> int:
    """How much a hold of the body takes."""
    if me is PAYMENT:
        return int(body["amount_minor"])
    if me is POINTS:
        return int(body["redeem"])
    declaration: Any = declared(me)
    return sum(claim.units for claim in declaration.claims(declaration.body.model_validate(body)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_each_row_is_whole_and_its_last_word_is_told(case: Case, engines: Engines) -> None:
    me, engine = Partner(case.name), await engines.of(case.name)
    draw = random.Random(me.value)
    trips = [drawn(draw, case) for _ in range(TRIPS)]
    waiting = [message for trip in trips for message in trip.messages for _ in range(draw.randint(1, 2))]
    deliveries, told = Deliveries(draw, waiting), list[Message]()
    async with opened(service_of(case.name), engine, HOLD_S) as store:
        before = await taken(me, store)
        for point in DEATHS:
            broker, hold_s = (
                Mortal(draw, point, draw.randint(1, LATEST_DEATH)),
                draw.choice((HOLD_S, BRIEF_S)),
            )
            await lived(me, engine, hold_s, broker, deliveries)
            assert broker.dead.is_set(), f"nobody died {point}"
            told += broker.heard
        broker = Mortal(draw)
        await lived(me, engine, HOLD_S, broker, deliveries)
        told += [*broker.heard, *await told_at_last(me, store, trips)]

        rows = {trip.talk.trip_id: await stood(store, trip.talk.trip_id) for trip in trips}
        for trip in trips:
            row = rows[trip.talk.trip_id]
            said = [message for message in told if message.subject == row.key]
            assert standing_of(row) in ends(trip), (trip, row)
            assert went(row, said), (row, said)
        assert await taken(me, store) == tuple(
            was + sum(units(me, trip.talk.body) for trip in trips if rows[trip.talk.trip_id].status is status)
            for was, status in zip(before, (Status.HELD, Status.CONFIRMED), strict=True)
        )
        for key in rows:
            await store.release(key)
        assert await taken(me, store) == before
